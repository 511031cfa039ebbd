"""Input of an explanation: the run and the data around it, passed in by the caller. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ...common.coercion import coerce_number, list_agent_runs
from ...common.urls import files_folder, join_url
from ...costs.accounting.missing_parts import silent_agents
from ...costs.accounting.money import sum_known, to_decimal, to_usd_float
from .records import Component, Explanation, JsonValue, PriceVersions, Source

Agent = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ExplanationContext:
    """One run and the data needed to explain it."""

    run: Mapping[str, Any]
    file_exists: Callable[[str], bool | None] = bool  # whether a path is a file now; None if unknown
    installed_price_version: str = ""  # version of the installed price table and own prices
    similar_links: tuple[
        tuple[Mapping[str, Any], Mapping[str, Any] | None], ...
    ] = ()  # links to similar runs, each with its run
    patterns: tuple[Mapping[str, Any], ...] = ()

    @property
    def agents(self) -> list[Agent]:
        """All agent runs of the run, superseded attempts included."""
        return list_agent_runs(self.run)

    @property
    def silent_agents(self) -> list[Agent]:
        """Agents without a stream, as agent runs with no other known data."""
        return [*silent_agents(self.run)]

    @property
    def prices(self) -> PriceVersions:
        """Versions of the price table: when the run was stored, and now."""
        stored = self.run.get("price_version")
        return PriceVersions(stored, self.installed_price_version, stored == self.installed_price_version)

    def path(self, relative_path: str) -> str:
        """Return a path inside the run's directory, absolute if the directory is known."""
        agents_dir = self.run.get("agents_dir")
        return join_url(agents_dir, files_folder(self.run), relative_path) if agents_dir else relative_path

    def source(self, relative_path: str, line: int | None, says: str, *, overwritten: bool = False) -> Source:
        """Return a source location in one of the run's files."""
        path = self.path(relative_path)
        unknown = overwritten or not self.run.get("agents_dir") or ".." in relative_path.split("/")
        exists = None if unknown else self.file_exists(path)
        return Source(path, line, exists, says)

    def explain_value(
        self, name: str, rule: str, *, unit: str | None = None, docs: str = "docs/provenance.md", **more: Any
    ) -> Explanation:
        """Build the explanation of a field, with its stored value by default."""
        values = {"value": to_plain(self.run.get(name)), **more}
        return Explanation(
            id=str(self.run.get("id")),
            project=str(self.run.get("project") or ""),
            field=name,
            unit=unit,
            rule=rule,
            docs=docs,
            **values,
        )

    def explain_sum(
        self, name: str, rule: str, parts: Sequence[Component], *, unit: str, docs: str, **more: Any
    ) -> Explanation:
        """Build the explanation of a sum, computed exactly, with the remainder outside its parts."""
        parts_sum = sum_parts(parts)
        value = (
            to_decimal(coerce_number(self.run.get(name)))
            if "value" not in more
            else to_decimal(more["value"])
        )
        remainder = None if parts_sum is None or value is None else to_usd_float(value - parts_sum)
        total = None if parts_sum is None else to_usd_float(parts_sum)
        notes = tuple(more.pop("notes", ()))
        if remainder:
            notes += (
                "the components do not add up to the value: the total was stored without all components",
            )
        return self.explain_value(
            name,
            rule,
            unit=unit,
            docs=docs,
            parts=tuple(parts),
            total=total,
            remainder=remainder,
            notes=notes,
            **more,
        )


def agent_name(agent: Agent) -> str:
    """Return the name of an agent run's agent for display."""
    return str(agent.get("agent") or "unnamed")


def sum_parts(parts: Sequence[Component]) -> Decimal | None:
    """Sum the components that add to the total; None if none is known."""
    return sum_known([to_decimal(coerce_number(part.value)) for part in parts if part.adds])


def to_plain(value: Any) -> JsonValue:
    """Return a value that an explanation can contain; lists and dicts become their length.

    >>> to_plain(0.5), to_plain([1, 2]), to_plain({})
    (0.5, '2 entries', 'none')
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping | list | tuple):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}" if value else "none"
    return str(value)
