"""Calculate the cost of one model's part of a stream from its tokens and their date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from ...common.errors import PriceUnknownError
from ...common.models import LIST_PRICE, Call, MessageUsage, Terms, TokenUsage
from ..pricing import SYNTHETIC, cost_usd


class ModelCost(msgspec.Struct, frozen=True):
    """Usage and cost of one model in one stream."""

    model: str | None  # None: the stream names no model
    usage: TokenUsage
    reported: Decimal | None  # USD, from a result line or a message
    computed: Decimal | None  # USD, tokens x dated price; None: the price of some tokens is unknown
    known_cost: Decimal  # USD, cost of the tokens with a known price
    tokens_without_price: int  # number of tokens without a known price
    at_least: bool = False  # sum over requests: `computed` is too low if one of them was a long request

    @property
    def unpriced(self) -> bool:
        """Whether neither the agent nor the price table gives a price for all of the usage."""
        return self.computed is None and not self.reported

    @property
    def unpriced_tokens(self) -> int:
        """Number of tokens without any price, reported or computed."""
        return self.tokens_without_price if self.unpriced else 0

    def __add__(self, other: ModelCost) -> ModelCost:
        reported = [cost for cost in (self.reported, other.reported) if cost is not None]
        unknown = self.computed is None or other.computed is None
        priced_part = self.known_cost + other.known_cost
        return ModelCost(
            self.model,
            self.usage + other.usage,
            sum(reported, Decimal(0)) if reported else None,
            None if unknown else priced_part,
            priced_part,
            self.tokens_without_price + other.tokens_without_price,
            self.at_least or other.at_least,
        )


def price_usage(
    model: str | None,
    usage: TokenUsage,
    at: datetime | None,
    *,
    one_request: bool,
    reported: Decimal | None = None,
    terms: Terms = LIST_PRICE,
) -> ModelCost:
    """Return a model's share, priced at `at`; a share without a price keeps its tokens and has no cost.

    A sum over requests is priced at the base rate. This is a lower bound if the sum is large enough to
    contain a long request, which costs more with some models.
    """
    try:
        cost = _usage_cost(model, usage, at, one_request, terms)
    except PriceUnknownError:
        return ModelCost(model, usage, reported, None, Decimal(0), usage.total)
    at_least = not one_request and reported is None and _may_be_long_request(model, usage, at, terms, cost)
    return ModelCost(model, usage, reported, cost, cost, 0, at_least)


def _may_be_long_request(
    model: str | None, usage: TokenUsage, at: datetime | None, terms: Terms, cost: Decimal
) -> bool:
    """Return whether the tokens of several requests would cost more as a single request."""
    try:
        return _usage_cost(model, usage, at, True, terms) > cost
    except PriceUnknownError:  # the date is unknown, and the price of long requests has changed
        return True


def _usage_cost(
    model: str | None, usage: TokenUsage, at: datetime | None, one_request: bool, terms: Terms
) -> Decimal:
    if usage == TokenUsage():
        return Decimal(0)
    if model is None:
        raise PriceUnknownError("the transcript names no model")
    return cost_usd(model, usage, at, one_request=one_request, terms=terms)


def price_messages(
    messages: Iterable[MessageUsage], main_model: str | None, at: datetime | None
) -> tuple[ModelCost, ...]:
    """Return one share per model of these messages; each of their requests is priced separately if known."""
    no_tokens = TokenUsage()
    shares: list[ModelCost] = []
    for message in messages:
        model, moment = message.model or main_model, message.timestamp or at
        is_free = message.usage == no_tokens and not message.calls and not message.cost
        if message.model == SYNTHETIC or is_free:
            continue
        calls = message.calls or (Call(None, message.usage, message.terms),)
        shares += [
            price_usage(
                call.model or model,
                call.usage,
                moment,
                one_request=not message.is_sum,
                reported=message.cost,
                terms=call.terms,
            )
            for call in calls
        ]
    return merge_by_model(shares)


def merge_by_model(shares: Iterable[ModelCost]) -> tuple[ModelCost, ...]:
    """Merge shares by model, in the order of the models' first occurrence."""
    by_model: dict[str | None, ModelCost] = {}
    for part in shares:
        known = by_model.get(part.model)
        by_model[part.model] = part if known is None else known + part
    return tuple(by_model.values())


def sum_computed(shares: Iterable[ModelCost]) -> Decimal | None:
    """Return the sum of computed costs over all shares, or None if a price is missing."""
    cost = Decimal(0)
    for part in shares:
        if part.computed is None:
            return None
        cost += part.computed
    return cost


def sum_usage(shares: Iterable[ModelCost]) -> TokenUsage:
    """Return the token usage of all shares."""
    return sum([part.usage for part in shares], TokenUsage())
