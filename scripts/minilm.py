"""Teacher model for the word table: MiniLM sentence vectors. Development only; needs torch and tokenizers.

Reads the files of sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0): model.safetensors and tokenizer.json.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn.functional import gelu, layer_norm, linear, scaled_dot_product_attention

_WIDTH, _LAYERS, _HEADS, _LONGEST = 384, 6, 12, 128


class MiniLM:
    """MiniLM sentence encoder, reduced to a forward pass and mean pooling."""

    def __init__(self, folder: Path) -> None:
        self._weights = {
            name: value.float() for name, value in load_file(folder / "model.safetensors").items()
        }
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_LONGEST)

    def encode(self, sentences: list[str], batch: int = 256) -> np.ndarray:
        """Return one unit vector per sentence, in order."""
        encoded = [item.ids for item in self._tokenizer.encode_batch(sentences)]
        order = sorted(range(len(encoded)), key=lambda at: len(encoded[at]))
        vectors = np.zeros((len(encoded), _WIDTH), np.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            vectors[rows] = self._pooled([encoded[row] for row in rows])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @torch.no_grad()
    def _pooled(self, encoded: list[list[int]]) -> np.ndarray:
        longest = max(map(len, encoded))
        ids = torch.tensor([item + [0] * (longest - len(item)) for item in encoded])
        mask = torch.tensor([[1] * len(item) + [0] * (longest - len(item)) for item in encoded])
        hidden, counted = self._forward(ids, mask), mask[..., None].float()
        return ((hidden * counted).sum(1) / counted.sum(1)).numpy()

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        weights, (count, length) = self._weights, ids.shape
        hidden = weights["embeddings.word_embeddings.weight"][ids]
        hidden = hidden + weights["embeddings.position_embeddings.weight"][:length]
        hidden = self._norm(
            hidden + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm"
        )
        seen = mask[:, None, None, :] == 1
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}."
            query, key, value = (
                self._linear(hidden, f"{name}attention.self.{part}")
                .view(count, length, _HEADS, _WIDTH // _HEADS)
                .transpose(1, 2)
                for part in ("query", "key", "value")
            )
            mixed = scaled_dot_product_attention(query, key, value, attn_mask=seen)
            mixed = mixed.transpose(1, 2).reshape(count, length, _WIDTH)
            mixed = self._linear(mixed, f"{name}attention.output.dense")
            hidden = self._norm(mixed + hidden, f"{name}attention.output.LayerNorm")
            wide = gelu(self._linear(hidden, f"{name}intermediate.dense"))
            hidden = self._norm(self._linear(wide, f"{name}output.dense") + hidden, f"{name}output.LayerNorm")
        return hidden

    def _linear(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return linear(hidden, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, hidden: torch.Tensor, name: str) -> torch.Tensor:
        return layer_norm(
            hidden, (_WIDTH,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], 1e-12
        )
