"""Generate requests (title and body of an issue) from word lists."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for line in text.strip().splitlines() for phrase in line.split("|"))


THINGS = _words("""
invoice order supplier warehouse shipment customer refund voucher basket catalogue product price discount
tax currency payment ledger budget forecast calendar appointment reminder notification message inbox
attachment comment review rating profile avatar password session token permission role team workspace
project milestone task checklist timer timesheet payroll contract signature document template report chart
dashboard widget filter search query index export import backup archive snapshot migration schema table
column row record cache queue worker job scheduler webhook endpoint gateway proxy certificate domain
deployment container cluster pipeline artefact release changelog feature flag experiment survey quiz
lesson course student teacher grade classroom library book loan ticket seat venue concert playlist song
podcast episode camera photo album gallery video subtitle map route driver vehicle fuel battery charger
sensor thermostat meter alarm recipe ingredient menu table reservation kitchen delivery courier parcel
address patient doctor prescription allergy clinic insurance claim policy premium mortgage tenant lease
landlord inspection repair garage garden plant irrigation weather radar harvest field tractor flight gate
luggage passenger crew cabin hotel room booking itinerary visa passport glossary dictionary translation
phrase spelling keyboard shortcut theme font palette icon tooltip sidebar modal wizard onboarding tutorial
""")

PLACES = _phrases("""
settings page|checkout|admin area|mobile view|public API|nightly job|command line|login screen|overview
detail view|side panel|print layout|search results|import wizard|mail digest|audit log|landing page
staging system|billing screen|team page|archive view|activity feed|error page|start-up|sync process
event stream|report builder|help centre|sign-up form|shared link|calendar view|inventory list
""")

VERBS = _words("""
sort filter group merge split rename duplicate archive restore export import share lock unlock pin tag
rate approve reject schedule postpone cancel repeat undo preview print compare summarise translate
validate encrypt compress resize crop rotate upload download stream cache prefetch paginate highlight
collapse expand drag reorder assign transfer invite mute follow subscribe notify escalate reconcile
forecast audit measure track log trace throttle retry batch queue index crawl parse format round convert
colour annotate draw zoom
""")

FAULTS = _phrases("""
crashes when empty|shows the wrong total|loses the last entry|is off by one day|forgets its filter
hangs for minutes|appears twice|ignores the time zone|times out under load|breaks on umlauts|is cut in half
cannot be closed|keeps growing|answers with a blank page|jumps to the top|doubles every click|never refreshes
overlaps the footer|rejects valid input|leaks memory|swaps two columns|sends two mails|rounds too early
""")

REASONS = _phrases("""
Support hears about it every week|The accountants need it before the quarter ends|Two large accounts asked
It blocks the next release|We promised it in the last meeting|The old workaround stopped working
New colleagues stumble over it|It costs us about an hour a day|The auditors will look at it in spring
Nobody remembers why it was built that way|It came up in five interviews|It is the most voted wish
""")

LIMITS = _phrases("""
No new dependency, please|Keep the public interface as it is|Cover it with tests of its own
It must stay fast with ten thousand rows|Old links have to keep working|Mind screen readers
Write a line into the changelog|Small steps are fine|Use the component that we have|Mobile comes later
Do not touch the data model|Put it behind a flag first|The wording is up to you, short is better
""")

OTHER_WORDS = {
    "Add": "Introduce",
    "Let users": "Make it possible to",
    "Fix": "Repair",
    "should": "ought to",
    "from the": "out of the",
    "Currently": "At the moment",
    "before": "ahead of",
    "please": "if you can",
    "The": "Our",
}

CLASSES = {"/feature": 0.6, "/bug": 0.25, "/chore": 0.15}


@dataclass(frozen=True, slots=True)
class Request:
    """One generated issue."""

    number: int
    title: str
    body: str
    issue_class: str  # with a leading slash

    @property
    def slug(self) -> str:
        """Title in the form used in branch names."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.title.lower()).split()[:6])


def request_of(seed: int, index: int, near_duplicates: float) -> Request:
    """Return the request of a run; the share `near_duplicates` of them rephrases an earlier request."""
    chance = Random(f"{seed}/request/{index}")
    if index and chance.random() < near_duplicates:
        return _reworded(_first_hand(seed, chance.randrange(index)), index, chance)
    return _first_hand(seed, index)


def _first_hand(seed: int, index: int) -> Request:
    chance = Random(f"{seed}/task/{index}")
    kind = chance.choices(list(CLASSES), list(CLASSES.values()))[0]
    thing, other, third = chance.sample(THINGS, 3)
    verb, second = chance.sample(VERBS, 2)
    place = chance.choice(PLACES)
    if kind == "/feature":
        title = chance.choice(
            (
                f"Add a way to {verb} every {thing} on the {place}",
                f"Let users {verb} a {thing} from the {place}",
                f"{thing.capitalize()} {place}: {verb} by {other}",
            )
        )
    elif kind == "/bug":
        title = f"Fix the {thing}: it {chance.choice(FAULTS)} ({place})"
    else:
        title = f"Move the {thing} code out of the {place} and {verb} its {other}"
    things, verbs = (thing, other, third), (verb, second)
    return Request(index + 1, title, _body(chance, things, verbs, place), kind)


def _body(chance: Random, things: tuple[str, str, str], verbs: tuple[str, str], place: str) -> str:
    thing, other, third = things
    verb, second = verbs
    sentences = [
        f"Currently the {thing} on the {place} has no {other} that one could {verb}.",
        f"{chance.choice(REASONS)}.",
        f"It should {second} the {third} before the {thing} is shown.",
        f"When somebody tries to {verb} it, the {third} {chance.choice(FAULTS)}.",
        f"A {thing} without {other} should look the same as before, café, naïve and “quoted” names too.",
        f"The {chance.choice(THINGS)} and the {chance.choice(THINGS)} can wait.",
        f"{chance.choice(LIMITS)}.",
    ]
    chosen = " ".join([sentences[0], *chance.sample(sentences[1:], chance.randint(2, 6))])
    steps = [f"- {chance.choice(VERBS)} the {chance.choice(things)}" for _ in range(chance.randint(0, 4))]
    return "\n".join([chosen, "", *steps]).strip()


def _reworded(first: Request, index: int, chance: Random) -> Request:
    """Rephrase a request: replace a few words, reorder its sentences and drop up to two of them."""
    sentences = first.body.replace("\n", " ").split(". ")
    chance.shuffle(sentences)
    kept = sentences[: max(2, len(sentences) - chance.randint(0, 2))]
    return Request(index + 1, _other_words(first.title), _other_words(". ".join(kept)), first.issue_class)


def _other_words(text: str) -> str:
    for word, other in OTHER_WORDS.items():
        text = text.replace(word, other)
    return text
