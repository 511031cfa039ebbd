"""Words, requests and text vectors, for every alphabet."""

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.server.core.workflow_history.analysis.similarity import (
    request_parser,
    word_embeddings,
)
from app.server.core.workflow_history.analysis.similarity.request_parser import TITLE_WEIGHT, parse_request
from app.server.core.workflow_history.analysis.similarity.text_vectors import dimensions, text_vector
from app.server.core.workflow_history.similarity import calculate_similarity_score

any_text = st.text(st.characters(), max_size=200)

TASKS = [
    ("Rename the warehouse screen", "Give the stock page another name"),
    ("Retry webhooks that time out", "Send a webhook again when the receiver does not answer"),
    ("Compress images on upload", "Shrink pictures when somebody uploads them"),
    ("Ban weak passwords at sign-up", "Registration must refuse a password that is easy to guess"),
    ("Translate invoices into Spanish", "Bills should be available in the Spanish language"),
    (
        "Stop the memory leak in the video player",
        "Memory keeps growing while a film plays; find out why",
    ),
]

FORM = """<!-- Thank you for reporting! -->
## Description
{task}

## Steps to reproduce
1. Log in
2. Open the page

## Acceptance criteria
- [ ] All tests pass
- [ ] Documentation is updated

## Environment
- OS: Ubuntu
- Browser: Firefox

```
Traceback (most recent call last):
  File "main.py", line 3, in <module>
```
"""

AGENT = """/feature

Using adw_plan_build_review

{task}

Follow the existing patterns and conventions. Make sure that all tests pass.
"""


def likeness(left, right):
    return calculate_similarity_score({"nl_input": left}, {"nl_input": right})


@given(any_text)
@example("\ud800 lone surrogate")
@example("\x00")
@example("ß ﬁ İ")
def test_any_text_gives_a_vector_of_the_one_size_or_none(text):
    vector = text_vector(text)
    assert vector is None or len(vector) == dimensions()


@pytest.mark.parametrize("text", ["", "   \n\t", "...", "the of and", "🦊"])
def test_a_text_without_words_has_no_vector(text):
    assert text_vector(text) is None


@pytest.mark.parametrize(
    "text", ["https://example.com/orders", "/bug", "deadbeef1", "```\nx = 1\n```", "#12"]
)
def test_a_text_of_nothing_but_clutter_still_matches_itself(text):
    assert likeness(text, text) == 1.0


@pytest.mark.parametrize("frame", ["{task}", FORM, AGENT], ids=["bare", "form", "agent"])
def test_the_same_task_in_other_words_comes_first(frame):
    for at, (task, _) in enumerate(TASKS):
        scores = [likeness(frame.format(task=task), frame.format(task=other)) for _, other in TASKS]
        assert scores.index(max(scores)) == at, task


def test_a_form_around_a_task_hardly_matters():
    task = "Compress images on upload"
    assert likeness(FORM.format(task=task), task) > 0.9
    assert likeness(AGENT.format(task=task), FORM.format(task=task)) > 0.8


def test_an_issue_as_json_is_read_by_title_and_body():
    passages = parse_request(
        '/classify_issue {"number": 1, "title": "Sort orders", "body": "By date, please."}'
    )
    assert passages[0] == ("Sort orders", TITLE_WEIGHT)
    assert passages[1].text == "By date, please."


def test_a_title_counts_more_than_a_long_body():
    filed = "# Sort orders by date" + "\nThe list of customers shows names and cities. " * 20
    assert likeness(filed, "Sort orders by date") > likeness(filed, "List customers with their city")


@pytest.mark.parametrize("word", ["kubelet-xyzzy42", "修复登录页面", "Ünïcödé", "сервер", "E0599"])
def test_words_that_the_table_does_not_know_match_themselves(word):
    assert likeness(f"Fix {word}", f"Repair {word} today") > likeness(f"Fix {word}", "Repair the gate today")


CLUTTER = [
    "<!-- x -->",
    "<!--",
    "```\n",
    "~~~\n",
    "  Traceback (most recent call last)\n",
    ' File "a.py"\n',
    "  ^^\n",
    "\n at f(x)",
    "https://a.b/c",
    "<b>",
    "<",
    "/bug\n",
    "/plan ",
    "using adw_plan.py",
    "ADWS-x",
    "deadbeef1",
    "DEAD0123-beef",
    "#12",
    "#",
    "٣abcdef",
    " word ",
    "\n",
]


@given(st.lists(st.sampled_from(CLUTTER) | st.text(max_size=3), max_size=12).map("".join))
def test_clutter_is_only_looked_for_where_it_can_be(body):
    patterns = [pattern for pattern, _ in request_parser._CLUTTER]
    plain = body
    for pattern in (*patterns, request_parser._ADW, request_parser._HEX, request_parser._NUMBER):
        plain = pattern.sub(" ", plain)
    assert request_parser._remove_clutter(body) == plain


def test_forgetting_words_changes_no_vector(monkeypatch):
    texts = [FORM.format(task=task) for pair in TASKS for task in pair]
    before = [text_vector(text) for text in texts]
    monkeypatch.setattr(word_embeddings, "_MAX_CACHED_WORDS", 3)
    text_vector.cache_clear()
    assert [text_vector(text) for text in texts] == before


LONG = {
    "words": "word " * 200_000,
    "comments": "<!--" * 250_000,
    "fences": "```" * 300_000,
    "one word": "a" * 1_000_000,
    "commands": "/x " * 300_000,
    "lines": "\n" * 1_000_000,
    "braces": "{" * 1_000_000,
    "numbers": " ".join(map(str, range(150_000))),
    "sentences": "Do it. " * 150_000,
}


@pytest.mark.parametrize("name", LONG)
def test_a_text_of_a_million_characters_takes_no_longer_than_a_second(name):
    started = time.process_time()
    text_vector(LONG[name] + '"title":')
    assert time.process_time() - started < 1.0
