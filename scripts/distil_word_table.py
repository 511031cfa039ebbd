"""Distil the shipped word table `word_table.npz` from sentences and MiniLM as the teacher model.

Development only. Run from the repository's root, in a separate environment:

    pip install torch tokenizers safetensors numpy
    python -m scripts.distil_word_table MODEL_FOLDER SENTENCES.txt WORK_FOLDER

SENTENCES.txt has one sentence per line. WORK_FOLDER caches the teacher's vectors, which makes reruns fast.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from app.server.core.workflow_history.analysis.similarity.tokenizer import tokenize

from .minilm import MiniLM
from .task_sentences import task_sentences

OUT = Path("app/server/core/workflow_history/analysis/similarity/word_table.npz")
TASKS, WORDS, DIMENSIONS, EPOCHS, BATCH, LONGEST = 50_000, 16_000, 128, 3, 1024, 24


def main() -> None:
    """Distil and write the word table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("model", "sentences", "work"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    torch.manual_seed(0)
    teacher = MiniLM(given.model)
    real, tasks = given.sentences.read_text().split("\n"), task_sentences(TASKS)
    words = frequent_words(real, tasks, given.model / "vocab.txt")
    meant = np.vstack(
        [
            kept(given.work / "real.npy", teacher, real),
            kept(given.work / "tasks.npy", teacher, tasks),
        ]
    )
    basis, targets = principal(meant)
    rows = {word: row for row, word in enumerate(words)}
    cut = [[rows[word] for word in tokenize(text) if word in rows] for text in real + tasks]
    counts = np.bincount([row for text in cut for row in set(text)], minlength=len(words))
    start = kept(given.work / "words.npy", teacher, words)
    start = unit((start - start.mean(0)) @ basis) / (1 + counts / len(cut) / 5e-3)[:, None]
    write(words, trained(start, cut, targets), counts, len(cut))


def frequent_words(real: list[str], tasks: list[str], vocabulary: Path) -> list[str]:
    """Return the words of the table: frequent in the sentences, or in the teacher's own vocabulary."""
    seen = Counter(word for text in real for word in set(re.findall("[a-z]+", text.lower())))
    ours = set(re.findall("[a-z]+", " ".join(tasks).lower()))
    known = [word.strip() for word in vocabulary.read_text().splitlines()]
    rank = {word: at for at, word in enumerate(w for w in known if re.fullmatch("[a-z]{2,}", w))}
    more = {word for word, count in seen.items() if count >= 6 and 2 < len(word) < 18}

    def worth(word: str) -> float:
        return seen[word] * 3 + 30_000 / (30 + rank.get(word, 99_999)) + 1_000 * (word in ours)

    ordered = sorted(sorted(ours | rank.keys() | more), key=worth, reverse=True)
    return [word for word in ordered[:WORDS] if tokenize(word) == [word]]


def kept(path: Path, teacher: MiniLM, texts: list[str]) -> np.ndarray:
    """Return the teacher's vectors of `texts`, cached in `path`."""
    if not path.exists():
        np.save(path, teacher.encode(texts).astype(np.float16))
    return np.load(path).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Return `rows` normalized to length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def principal(meant: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the basis of the principal components, and the sentences' unit vectors in it."""
    centred = unit(meant) - unit(meant).mean(0)
    basis = np.linalg.svd(centred[::5], full_matrices=False)[2][:DIMENSIONS].T
    return basis, unit(centred @ basis)


def trained(start: np.ndarray, cut: list[list[int]], targets: np.ndarray) -> np.ndarray:
    """Train word vectors whose sums have the direction of the teacher's sentence vectors."""
    rows = [at for at, text in enumerate(cut) if 2 <= len(text) <= LONGEST]
    padded = torch.tensor([cut[at] + [len(start)] * (LONGEST - len(cut[at])) for at in rows])
    wanted = torch.tensor(targets[rows], dtype=torch.float32)
    table = torch.nn.Parameter(
        torch.tensor(np.vstack([start, np.zeros((1, DIMENSIONS))]), dtype=torch.float32)
    )
    descent = torch.optim.Adam([table], lr=0.01)
    for epoch in range(EPOCHS):
        descent.param_groups[0]["lr"] = 0.01 * (1 - epoch / EPOCHS)
        for some in torch.randperm(len(rows)).split(BATCH):
            summed = torch.nn.functional.embedding(padded[some], table, padding_idx=len(start)).sum(1)
            got, want = torch.nn.functional.normalize(summed, dim=1, eps=1e-6), wanted[some]
            loss = (1 - (got * want).sum(1)).mean() + 4 * ((got @ got.T - want @ want.T) ** 2).mean()
            descent.zero_grad()
            loss.backward()
            descent.step()
    return table.detach().numpy()[:-1]


def write(words: list[str], vectors: np.ndarray, counts: np.ndarray, total: int) -> None:
    """Quantize and write the table: directions as signed bytes, weights and rarity as bytes."""
    lengths = np.linalg.norm(vectors, axis=1)
    rarity = np.log((total + 1) / (counts + 1)) / 12
    np.savez_compressed(
        OUT,
        words=np.frombuffer("\n".join(words).encode(), np.uint8),
        directions=np.clip(np.rint(unit(vectors) * 440), -127, 127).astype(np.int8),
        weights=np.clip(np.rint(lengths / np.percentile(lengths, 99) * 120), 1, 255).astype(np.uint8),
        rarity=np.clip(np.rint(rarity * 255), 1, 255).astype(np.uint8),
    )


if __name__ == "__main__":
    main()
