"""Measure how well similarity measures find rephrased tasks and print a table. Development only.

    python -m scripts.measure_similarity PAIRS.json

PAIRS.json is a list of {task, rephrased, different}: `different` shares only words with `task`.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from app.server.core.workflow_history.analysis.similarity import text_vectors
from app.server.core.workflow_history.similarity import calculate_similarity_score

Measure = Callable[[list[str], list[str]], np.ndarray]

FORM = """Thanks for taking the time to open this! Please fill out every section.

## Description
{task}

## Steps to reproduce
1. Open the app
2. Log in with a valid account
3. Navigate to the affected page

## Expected behavior
The application behaves as described above and no errors are shown in the console.

## Acceptance criteria
- [ ] The change is covered by automated tests
- [ ] Documentation has been updated where needed

## Environment
- OS: Ubuntu 22.04
- Browser: Chrome 120

```
Traceback (most recent call last):
  File "server.py", line 12, in <module>
ValueError: invalid literal
```
"""

COMMAND = """/feature

Using adw_plan_build_review

{task}

Follow the existing code style. Make sure all tests pass before you commit. Read README.md first,
create a plan in specs/*.md, think hard about edge cases and validation.
Notes: keep it simple, do not add new dependencies, update the docs, run the linter and the type checker.
"""

ROLE = """You are a senior engineer working in this repository. Read the instructions carefully.

Task: {task}

Guidelines
- Write clean, maintainable code with meaningful names and comments where needed.
- Follow the architecture of the project and reuse existing helpers instead of writing new ones.
- Never commit secrets, generated files or debug output.
- When you are finished, summarise the changes, list the files you touched and mention open questions.
"""

FRAMES = {
    "short": ("{task}", "{task}"),
    "form": (FORM, FORM),
    "command": (COMMAND, COMMAND),
    "role": (ROLE, ROLE),
}
FRAMES["form against role"] = (FORM, ROLE)


def main() -> None:
    """Print a table of the quality of each measure for each frame of text around the task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    pairs = json.loads(parser.parse_args().pairs.read_text())
    lines = [
        "| texts | measure | recall@5 | MRR | AUC | MRR with hard negatives |",
        "|---|---|---|---|---|---|",
    ]
    for frame, (asked, held) in FRAMES.items():
        tasks = [asked.replace("{task}", pair["task"]) for pair in pairs]
        again = [held.replace("{task}", pair["rephrased"]) for pair in pairs]
        other = [held.replace("{task}", pair["different"]) for pair in pairs]
        for name, measure in MEASURES.items():
            figures = " | ".join(f"{value:.2f}" for value in quality(measure(tasks, again + other)))
            lines.append(f"| {frame} | {name} | {figures} |")
    sys.stdout.write("\n".join(lines) + "\n")


def quality(scores: np.ndarray) -> tuple[float, float, float, float]:
    """Return recall@5, MRR, AUC against unrelated tasks, and MRR with hard negatives; ties count half."""
    size = len(scores)
    near = scores[:, :size]
    right, wrong = np.diag(near), near[~np.eye(size, dtype=bool)]
    auc = (right[:, None] > wrong).mean() + 0.5 * (right[:, None] == wrong).mean()
    ranks = _ranks(near, right)
    return (
        float((ranks <= 5).mean()),
        float((1 / ranks).mean()),
        float(auc),
        float((1 / _ranks(scores, right)).mean()),
    )


def _ranks(scores: np.ndarray, right: np.ndarray) -> np.ndarray:
    better = (scores > right[:, None]).sum(1)
    equal = (scores == right[:, None]).sum(1) - 1
    return 1 + better + equal / 2


def grams(left: list[str], right: list[str]) -> np.ndarray:
    """Return cosines of TF-IDF over character 3- to 5-grams within words, fitted on all texts (baseline)."""
    counted = [Counter(_grams(text)) for text in left + right]
    seen = Counter(gram for text in counted for gram in text)
    column = {gram: at for at, gram in enumerate(seen)}
    table = np.zeros((len(counted), len(column)))
    for row, text in enumerate(counted):
        for gram, count in text.items():
            table[row, column[gram]] = count * (1 + math.log((1 + len(counted)) / (1 + seen[gram])))
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    return table[: len(left)] @ table[len(left) :].T


def _grams(text: str) -> list[str]:
    words = [f" {word} " for word in re.findall(r"\w+", text.lower())]
    return [
        word[at : at + size] for word in words for size in (3, 4, 5) for at in range(len(word) - size + 1)
    ]


def cosines(literal: float) -> Measure:
    """Return a measure: cosines of text vectors whose literal part has the weight `literal`."""

    def measure(left: list[str], right: list[str]) -> np.ndarray:
        shipped = text_vectors.LITERAL_WEIGHT
        text_vectors.LITERAL_WEIGHT = literal
        text_vectors.text_vector.cache_clear()
        made = [np.frombuffer(text_vectors.text_vector(text) or b"", np.int8) for text in left + right]
        text_vectors.LITERAL_WEIGHT = shipped
        text_vectors.text_vector.cache_clear()
        table = np.array(made, float)
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        return table[: len(left)] @ table[len(left) :].T

    return measure


def shipped(left: list[str], right: list[str]) -> np.ndarray:
    """Return the similarity scores of the public function, including its floor."""
    return np.array(
        [[calculate_similarity_score({"nl_input": one}, {"nl_input": two}) for two in right] for one in left]
    )


MEASURES: dict[str, Measure] = {
    "TF-IDF character 3-5-grams": grams,
    "literal part alone": cosines(1.0),
    "meaning alone": cosines(0.0),
    "both": cosines(text_vectors.LITERAL_WEIGHT),
    "both with the floor (shipped)": shipped,
}

if __name__ == "__main__":
    main()
