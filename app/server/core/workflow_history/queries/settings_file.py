"""Find, parse and validate the settings file (TOML), or create a first one: budgets or retention rules out.

An unknown key is an error: a budget with a typo in its name would never be exceeded.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from platformdirs import user_config_path

from ..analysis.anomalies.budgets import BudgetLimits, Budgets
from ..common.errors import ConfigError, ConfigMissingError, InvalidQueryError
from ..common.temporary_files import scratch_folder
from ..maintenance.retention_rules import RetentionRule, parse_rule

ENV_VARIABLE: Final = "WORKFLOW_HISTORY_CONFIG"
FILE_NAME: Final = "workflow-history.toml"

_SPANS: Final = BudgetLimits._fields
_TABLES: Final = ("budget", "retention")
_SCOPES: Final = ("templates", "projects")
_ALLOWED: Final = (*_SPANS, "time_zone", *_SCOPES)
_NANODOLLARS: Final = 10**9  # in one US dollar
_MOST: Final = Decimal(10**9)  # maximum budget in US dollars: integer sums stay exact

TEMPLATE: Final = """\
# Budgets in US dollars, for `workflow-history check`. All are optional; take out what you do not need.
# A budget is passed when more than this was spent; runs of unknown cost are named, and count as spent 0.

[budget]
run = 5.00      # for any one run
day = 40.00     # for all runs of a calendar day
week = 150.00   # Monday to Sunday
month = 500.00
# time_zone = "Europe/Berlin"   # of days, weeks and months; without it, this machine's

# [budget.templates.adw_sdlc_iso]   # for one workflow; its `run` holds instead of the one above
# run = 8.00
# day = 25.00

# [budget.projects.shop]            # for one project
# day = 20.00

# [[retention]]                     # runs that may go, for `workflow-history db prune --by-config`
# older_than = "18mo"               # and any option that narrows lists: status = ["failed"]
# keep = 100                        # of those, the newest of each project stay
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Budgets from the settings file."""

    path: Path
    budgets: Budgets
    time_zone: ZoneInfo | None  # time zone of days, weeks and months; None: local


def candidate_paths(given: Path | None = None) -> list[Path]:
    """Return the possible paths of the file in order of priority; a given path is the only one."""
    if given is not None:
        return [given]
    if named := os.environ.get(ENV_VARIABLE):
        return [Path(named)]
    return [Path(FILE_NAME), user_config_path("workflow-history", appauthor=False) / "config.toml"]


def read_config(given: Path | None = None) -> Settings:
    """Read the budgets; raise ConfigError if there is no file or its content is invalid."""
    path, said = _load(given)
    return _Reader(path).config(said)


def read_retention_rules(given: Path | None = None) -> list[RetentionRule]:
    """Read the retention rules; raise ConfigError if there is no file, no rule, or a rule is invalid."""
    path, said = _load(given)
    return _Reader(path).retention(said)


def _load(given: Path | None) -> tuple[Path, dict[str, Any]]:
    """Return the path of the file in use and its content."""
    looked = candidate_paths(given)
    path = next((place for place in looked if place.is_file()), None)
    if path is None:
        names = " nor ".join(str(place) for place in looked)
        raise ConfigMissingError(f"no settings in {names}; workflow-history check --init writes a first file")
    try:
        return path, tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # also for numbers that are too long
        raise ConfigError(f"{path} is no TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def create_default_config(given: Path | None = None) -> Path:
    """Write a first settings file and return its path; raise ConfigError if it exists or writing fails."""
    path = candidate_paths(given)[0]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(path.parent) as folder:
            part = folder / path.name
            part.write_text(TEMPLATE, encoding="utf-8")
            os.link(part, path)  # atomic; fails if the file exists
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; edit it, or name another with --config") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    return path


@dataclass(frozen=True, slots=True)
class _Reader:
    """Parser of a settings file; every error names the file, the key and the allowed values."""

    path: Path

    def config(self, said: Mapping[str, Any]) -> Settings:
        self._only(said, _TABLES, "")
        if "budget" not in said:
            raise self._wrong(
                "", "holds no [budget]; workflow-history check --init shows what one looks like"
            )
        budget = self._table(said["budget"], "budget")
        self._only(budget, _ALLOWED, "budget")
        scopes = {scope: self._scope(budget.get(scope, {}), f"budget.{scope}") for scope in _SCOPES}
        found = Budgets(self._limits(budget, "budget"), **scopes)
        if not any(limit is not None for _, _, limits in found.scopes for limit in limits):
            raise self._wrong("budget", f"holds no amount; allowed: {', '.join(_SPANS)}")
        return Settings(self.path, found, self._time_zone(budget.get("time_zone")))

    def retention(self, said: Mapping[str, Any]) -> list[RetentionRule]:
        self._only(said, _TABLES, "")
        tables = said.get("retention")
        if tables is None:
            raise self._wrong(
                "", "holds no [[retention]]; workflow-history check --init shows what one looks like"
            )
        found = []
        for table in tables if isinstance(tables, list) else [tables]:
            try:
                rule = parse_rule(self._table(table, "retention"))
            except (InvalidQueryError, TypeError, ValueError, AttributeError) as error:
                raise self._wrong("retention", str(error)) from error
            if rule.matches_all:
                raise self._wrong(
                    "retention", "means every run; say an age, as older_than, or what narrows it"
                )
            found.append(rule)
        return found

    def _scope(self, value: object, key: str) -> dict[str, BudgetLimits]:
        found = {}
        for name, part in self._table(value, key).items():
            own = f"{key}.{name}"
            self._only(self._table(part, own), _SPANS, own)
            found[name] = self._limits(part, own)
        return found

    def _limits(self, table: Mapping[str, Any], key: str) -> BudgetLimits:
        return BudgetLimits(*(self._amount(table.get(span), f"{key}.{span}") for span in _SPANS))

    def _amount(self, value: object, key: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._wrong(key, f"is {_shown(value)}; allowed: an amount of US dollars such as 5.00")
        amount = Decimal(value)
        if not amount.is_finite() or not 0 <= amount <= _MOST:
            raise self._wrong(key, f"is {value}; allowed: US dollars from 0 to {_MOST:,}")
        return int(amount * _NANODOLLARS)

    def _time_zone(self, value: object) -> ZoneInfo | None:
        if value is None:
            return None
        try:
            if isinstance(value, str):
                return ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            pass  # not in the time zone database of the system
        raise self._wrong("budget.time_zone", f'is {_shown(value)}; allowed: a name such as "Europe/Berlin"')

    def _table(self, value: object, key: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(key, f"is {_shown(value)}; allowed: a table, written as [{key}]")
        return value

    def _only(self, table: Mapping[str, Any], allowed: tuple[str, ...], key: str) -> None:
        unknown = [name for name in table if name not in allowed]
        if unknown:
            whole = f"{key}.{unknown[0]}" if key else unknown[0]
            raise self._wrong(whole, f"is unknown; allowed here: {', '.join(allowed)}")

    def _wrong(self, key: str, what: str) -> ConfigError:
        return ConfigError(f"{self.path}: {key} {what}" if key else f"{self.path} {what}")


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f"the text {value!r}"
    return str(value).lower()  # true, false, inf and numbers, as TOML writes them
