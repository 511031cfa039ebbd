"""Look up the price table's row for an exact model name; never matches a model family or a bare prefix.

genai-prices finds its rows by `starts_with` and `contains`, which would price `glm-4.6-foo` as `glm-4.6`.
A name matches here only if it is a row's own id or literal, alone or with a well-known addition: a date,
`-latest`, Claude Code's `[1m]`, the prefix of a vendor or cloud, the spelling of Bedrock or Vertex.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ClauseAnd,
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    Provider,
)

from ...common.errors import PriceUnknownError
from .model_names import BEDROCK, CLOUDS, CONTEXT_MARKER, DATE_SUFFIX, MAX_NAME_LENGTH

PROVIDERS = (
    "anthropic",
    "openai",
    "google",
    "deepseek",
    "moonshotai",
    "zai",
    "zhipuai",
    "x-ai",
    "mistral",
    "minimax",
)
"""Providers searched for a name without prefix, in this order: each sells its own models at list price.

Resellers are never searched, because the same name means different models at different resellers.
"""

VENDOR_PREFIXES = {
    "anthropic": "anthropic",
    "openai": "openai",
    "google": "google",
    "gemini": "google",
    "deepseek": "deepseek",
    "moonshotai": "moonshotai",
    "z-ai": "zai",
    "zai": "zai",
    "x-ai": "x-ai",
    "xai": "x-ai",
    "mistral": "mistral",
    "mistralai": "mistral",
    "minimax": "minimax",
}
"""Vendor prefixes before a slash, each with the only provider that is searched then."""


@lru_cache(maxsize=512)
def find_model(name: str) -> ModelInfo:
    """Return the row that prices exactly this model name.

    Raises PriceUnknownError if no vendor has a row with this name.

    >>> find_model("claude-sonnet-4-5-20250929").id
    'claude-sonnet-4-5'
    """
    if len(name) > MAX_NAME_LENGTH:
        raise PriceUnknownError(f"no price is known for a model whose name has {len(name):,} characters")
    normalized = CLOUDS.sub("", CONTEXT_MARKER.sub("", name.strip().lower()), count=1)
    bedrock = BEDROCK.fullmatch(normalized)
    model = _find_bedrock_row(normalized, bedrock["name"]) if bedrock else _find_vendor_row(normalized)
    if model is None:
        raise PriceUnknownError(f"no price is known for the model {name!r}")
    return model


def _find_vendor_row(name: str) -> ModelInfo | None:
    prefix, slash, rest = name.partition("/")
    vendors = (VENDOR_PREFIXES.get(prefix),) if slash else PROVIDERS
    for vendor in vendors:
        model = _find_provider_row(vendor, rest if slash else name) if vendor else None
        if model:
            return model
    return None


def _find_provider_row(provider_id: str, name: str) -> ModelInfo | None:
    """Return the provider's row named `name`, or the row with this name without its date."""
    rows = _rows_by_name(provider_id)
    if name in rows:
        return rows[name]
    model = rows.get(DATE_SUFFIX.sub("", name))
    # A dated snapshot may have its own row (`gpt-4o-2024-05-13`): then the bare name is another model.
    own = _provider(provider_id).find_model(name)
    return model if own is None or own is model else None


def _find_bedrock_row(name: str, claude_name: str) -> ModelInfo | None:
    """Return the row of Bedrock itself, as a regional endpoint costs more than Anthropic's list price."""
    if _find_provider_row("anthropic", claude_name) is None:
        return None
    model = _provider("aws").find_model(name)
    row = BEDROCK.fullmatch(model.id.lower()) if model else None
    return model if row and DATE_SUFFIX.sub("", row["name"]) == DATE_SUFFIX.sub("", claude_name) else None


@lru_cache(maxsize=32)
def _provider(provider_id: str) -> Provider:
    return next(provider for provider in get_snapshot().providers if provider.id == provider_id)


@lru_cache(maxsize=32)
def _rows_by_name(provider_id: str) -> dict[str, ModelInfo]:
    """Index all rows by their ids and literals; if a name occurs twice, the first row is used."""
    rows: dict[str, ModelInfo] = {}
    for model in _provider(provider_id).models:
        for name in (model.id, *_literals(model.match)):
            rows.setdefault(name.lower(), model)
    return rows


def _literals(match: MatchLogic) -> Iterator[str]:
    """Yield the complete names in a match rule; `claude-sonnet-4@` is only the start of a name."""
    if isinstance(match, ClauseEquals):
        yield match.equals
    elif isinstance(match, ClauseStartsWith) and match.starts_with[-1].isalnum():
        yield match.starts_with
    elif isinstance(match, ClauseOr):
        for clause in match.or_:
            yield from _literals(clause)
    elif isinstance(match, ClauseAnd):
        for clause in match.and_:
            yield from (name for name in _literals(clause) if match.is_match(name))
