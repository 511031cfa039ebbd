"""Generate the demo's issues: a random source in, requests with title and body out. No file or clock.

Most tasks are a kind of task applied to a subject. One family requests the same thing in different words.
"""

import json
import re
from dataclasses import dataclass
from itertools import product
from random import Random

from .texts import BUGS, CHORES, FEATURES, SUBJECTS, Kind, Subject

FAMILY_TITLES = (
    "Add CSV export to the {many} page",
    "Export button for the {many} table (CSV)",
    "Let users download {many} as a CSV file",
    "Download the list of {many} as comma separated values",
    "CSV download of all {many}",
    "We need to export {many} to CSV from the table page",
    "Add a button that exports the {many} table to a CSV file",
    "Exporting {many} as CSV should be possible from the list",
    "Table page for {many}: export the rows to CSV",
    "Make the {many} list exportable (CSV file)",
)

FAMILY_BODIES = (
    "On the {many} page add an export button that downloads the rows of the table as a CSV file.",
    "Users copy the {many} table by hand. A button above it should export what is shown, as CSV.",
    "The list of {many} should be downloadable as CSV, with the columns and filters of the page.",
)

CLOSINGS = (
    "The other list pages already do this, please keep it consistent.",
    "Not urgent, but support asks for it every week.",
    "Please follow the style guide and reuse the table component.",
    "Small steps are fine, the backend part can go first.",
    "Seen on the staging system with the data of last week.",
    "There is a note about this in the handbook under Back office.",
    "Please add an end-to-end test and a line to the changelog.",
    "No new dependency for this, please.",
    "This blocks the accounting team at the end of the month.",
    "Happens in every browser I tried.",
)


@dataclass(frozen=True, slots=True)
class Request:
    """One issue in the words of a user."""

    number: int
    title: str
    body: str
    issue_class: str  # with a leading slash
    slug: str
    subject: Subject
    size: float  # amount of work, relative to the usual 1.0
    family: bool = False  # one of the planted similar tasks

    @property
    def kind_word(self) -> str:
        """The issue class without its slash, as in branch names and commits."""
        return self.issue_class.removeprefix("/")

    def issue_json(self) -> str:
        """Return the issue in the format of prompts: compact JSON of number, title and body."""
        issue = {"number": self.number, "title": self.title, "body": self.body}
        return json.dumps(issue, ensure_ascii=False, separators=(",", ":"))


def ordinary_tasks(source: Random, count: int) -> list[Request]:
    """Return `count` requests; no pair of kind and subject repeats before all pairs have occurred."""
    pairs: list[tuple[Kind, Subject]] = []
    while len(pairs) < count:
        batch = list(product(FEATURES + BUGS + CHORES, SUBJECTS))
        source.shuffle(batch)
        pairs += batch
    return [_make_request(source, kind, subject) for kind, subject in pairs[:count]]


def family_tasks(source: Random, count: int) -> list[Request]:
    """Return `count` requests for the same kind of task, on different pages and in different words."""
    subjects = source.sample(SUBJECTS, len(SUBJECTS))
    return [_make_family_request(source, subjects[turn % len(subjects)], turn) for turn in range(count)]


def _make_request(source: Random, kind: Kind, subject: Subject) -> Request:
    title = _fill(source.choice(kind.titles), subject)
    checks = "\n".join(f"- {_fill(check, subject)}" for check in kind.checks)
    body = f"{_fill(kind.body, subject)}\n\n{source.choice(CLOSINGS)}\n\nDone when:\n{checks}"
    return Request(
        number=0,
        title=title[0].upper() + title[1:],
        body=body[0].upper() + body[1:],
        issue_class=kind.issue_class,
        slug=f"{kind.slug}-{subject.many.replace(' ', '-')}",
        subject=subject,
        size=min(2.5, max(0.5, source.lognormvariate(0.0, 0.35))),
    )


def _make_family_request(source: Random, subject: Subject, turn: int) -> Request:
    return Request(
        number=0,
        title=_fill(FAMILY_TITLES[turn % len(FAMILY_TITLES)], subject),
        body=_fill(FAMILY_BODIES[turn % len(FAMILY_BODIES)], subject),
        issue_class="/feature",
        slug=f"csv-export-{subject.many.replace(' ', '-')}",
        subject=subject,
        size=source.uniform(0.95, 1.05),
        family=True,
    )


def _fill(text: str, subject: Subject) -> str:
    return with_articles(text.format(many=subject.many, one=subject.one))


def with_articles(text: str) -> str:
    """Replace `a` and `an` in a text according to the sound of the following words.

    >>> with_articles("Attach an file to a invoice, as an user of an CSV or a XLSX file")
    'Attach a file to an invoice, as a user of a CSV or an XLSX file'
    """
    return _ARTICLE.sub(_correct_article, text)


def _correct_article(match: re.Match[str]) -> str:
    word = match[3]
    is_abbreviation = _ABBREVIATION.fullmatch(word)  # an abbreviation is pronounced letter by letter
    has_vowel_sound = word[0] in "AEFHILMNORSX" if is_abbreviation else _VOWEL_SOUND.match(word) is not None
    return f"{match[1]}{'n' if has_vowel_sound else ''}{match[2]}{word}"


_ARTICLE = re.compile(r"\b([Aa])n?( +[\"'(\[]*)(\w+)")
_ABBREVIATION = re.compile(r"[A-Z][A-Z0-9]+")
_VOWEL_SOUND = re.compile(
    r"(?!uni(?!n)|us[aeu]|eu|uti|one\b|once\b)[aeiou]|hour|hono|heir|8|11\b|18\b", re.IGNORECASE
)
