"""Find, parse and validate the settings file (TOML) with budgets and retention rules, or create a first one.

An unknown key is an error: a budget with a typo in its name would never be exceeded.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from platformdirs import user_config_path

from ..analysis.anomalies.budgets import SPANS, BudgetLimits, Budgets, Nanodollars
from ..common.errors import ConfigError, ConfigMissingError, InvalidQueryError
from ..common.spending import NANODOLLARS
from ..common.temporary_files import scratch_folder
from ..common.urls import refuse_url
from ..maintenance.retention_rules import RetentionRule, parse_rule

ENV_VARIABLE: Final = "WORKFLOW_HISTORY_CONFIG"
FILE_NAME: Final = "workflow-history.toml"

_MAX_BUDGET: Final = Decimal(10**9)  # maximum budget in US dollars: integer sums stay exact

_EXAMPLE_HINT: Final = "workflow-history budget init --config NEW_FILE writes an example"
_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NOT_A_TABLE: Final = re.compile(r"Expected `(?:object|array).*`, got `(.*)`")

TEMPLATE: Final = """\
# Budgets in US dollars, for `workflow-history budget check`. All are optional; delete what you do not need.
# A budget is exceeded when more than this was spent; runs of unknown cost are named, and count as spent 0.

[budget]
run = 5.00      # for any one run
day = 40.00     # for all runs of a calendar day
week = 150.00   # Monday to Sunday
month = 500.00
# time_zone = "Europe/Berlin"   # of days, weeks and months; without it, this machine's

# [budget.workflows.adw_sdlc_iso]   # for one workflow; its `run` replaces the one above
# run = 8.00
# day = 25.00

# [budget.projects.shop]            # for one project
# day = 20.00

# [[retention]]                     # runs that may go, for `workflow-history db prune --use-retention`
# older_than = "18mo"               # and any option that narrows lists: status = ["failed"]
# keep = 100                        # of those, the newest of each project stay
"""


class _BudgetTable(BudgetLimits, frozen=True):
    """The table [budget]."""

    time_zone: ZoneInfo | None = None
    # Converted one by one, so that errors name the table.
    workflows: dict[str, Any] = msgspec.field(default_factory=dict)
    projects: dict[str, Any] = msgspec.field(default_factory=dict)
    templates: dict[str, Any] = msgspec.field(default_factory=dict)  # former name of `workflows`


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    budget: dict[str, Any] | None = None
    retention: dict[str, Any] | list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Budgets from the settings file."""

    path: Path
    budgets: Budgets
    time_zone: ZoneInfo | None  # time zone of days, weeks and months; None: local


def candidate_paths(path: Path | None = None) -> list[Path]:
    """Return the possible paths of the file in order of priority; a given path is the only one."""
    if path is not None:
        refuse_url(path)
        return [path]
    if named := os.environ.get(ENV_VARIABLE):
        refuse_url(named)
        return [Path(named)]
    return [Path(FILE_NAME), user_config_path("workflow-history", appauthor=False) / "config.toml"]


def read_config(path: Path | None = None) -> Settings:
    """Read the budgets; raise ConfigError if there is no file or its content is invalid."""
    config_path, _, content = _load(path)
    return _parse_budgets(config_path, content)


def read_retention_rules(path: Path | None = None) -> list[RetentionRule]:
    """Read the retention rules; raise ConfigError if there is no file, no rule, or a rule is invalid."""
    config_path, _, content = _load(path)
    return _parse_retention(config_path, content)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The config file in use, with its valid content."""

    path: Path
    text: str
    content: Mapping[str, Any]  # tables and keys as in the file


def load_config(path: Path | None = None) -> ConfigFile:
    """Read and validate the whole file; raise ConfigError if there is none or its content is invalid."""
    config_path, text, content = _load(path)
    if content.budget is not None:
        _parse_budgets(config_path, content)
    if content.retention is not None:
        _parse_retention(config_path, content)
    return ConfigFile(config_path, text, tomllib.loads(text))


def _load(path: Path | None) -> tuple[Path, str, _File]:
    """Return the path of the file in use, its text, and its tables with exact decimals."""
    candidates = candidate_paths(path)
    config_path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if config_path is None:
        names = " or ".join(str(candidate) for candidate in candidates)
        raise ConfigMissingError(f"No config file at {names}. Create one with: workflow-history budget init")
    try:
        text = config_path.read_text("utf-8")
        content = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # also for numbers that are too long
        raise ConfigError(f"{config_path} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{config_path} cannot be read: {error.strerror}") from error
    return config_path, text, _convert(config_path, "", content, _File)


def create_default_config(path: Path | None = None) -> Path:
    """Write a first settings file and return its path; raise ConfigError if it exists or writing fails."""
    config_path = candidate_paths(path)[0]
    try:
        config_path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(config_path.parent) as folder:
            temporary_file = folder / config_path.name
            temporary_file.write_text(TEMPLATE, encoding="utf-8")
            os.link(temporary_file, config_path)  # atomic; fails if the file exists
    except FileExistsError as error:
        raise ConfigError(
            f"{config_path} already exists; edit it, or name another file with --config"
        ) from error
    except OSError as error:
        raise ConfigError(f"{config_path} cannot be written: {error.strerror}") from error
    return config_path


def _parse_budgets(path: Path, content: _File) -> Settings:
    if content.budget is None:
        raise ConfigError(f"{path} has no table [budget]; {_EXAMPLE_HINT}")
    table = _convert(path, "budget", content.budget, _BudgetTable)

    def limits_of(scope: str, tables: dict[str, Any]) -> dict[str, BudgetLimits]:
        return {
            name: _convert(path, f"budget.{scope}.{name}", limits, BudgetLimits)
            for name, limits in tables.items()
        }

    if both := sorted(table.workflows.keys() & table.templates.keys()):
        raise ConfigError(f"{path}: [budget.workflows.{both[0]}] is there twice, also as budget.templates")
    workflows = limits_of("workflows", table.workflows) | limits_of("templates", table.templates)
    budgets = Budgets(table, workflows, limits_of("projects", table.projects))
    if all(limits.is_empty for _, _, limits in budgets.scopes):
        raise ConfigError(f"{path}: [budget] has no amount; allowed: {', '.join(SPANS)}")
    return Settings(path, budgets, table.time_zone)


def _parse_retention(path: Path, content: _File) -> list[RetentionRule]:
    if content.retention is None:
        raise ConfigError(f"{path} has no table [[retention]]; {_EXAMPLE_HINT}")
    rules = []
    for table in content.retention if isinstance(content.retention, list) else [content.retention]:
        try:
            rule = parse_rule(table)
        except (InvalidQueryError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{path}: [[retention]]: {error}") from error
        if rule.matches_all:
            raise ConfigError(f"{path}: [[retention]] selects every run; add an age (older_than) or a filter")
        rules.append(rule)
    return rules


_Table = TypeVar("_Table", bound=msgspec.Struct)


def _convert(path: Path, table: str, content: object, kind: type[_Table]) -> _Table:
    """Convert a table; raise ConfigError with the file, the key and the allowed keys or values."""
    try:
        return msgspec.convert(content, kind, dec_hook=_convert_value)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).partition(" - at `$")
        name = f"{table}{key.removesuffix('`')}".lstrip(".")
        if unknown := _UNKNOWN_KEY.fullmatch(problem):
            problem = f"unknown key {unknown[1]!r}; allowed: {', '.join(kind.__struct_fields__)}"
        elif other := _NOT_A_TABLE.fullmatch(problem):
            problem = f"expected a table [{name}], but found {other[1]}"
        raise ConfigError(f"{path}: {name}: {problem}" if name else f"{path}: {problem}") from error


def _convert_value(kind: type, value: Any) -> Any:
    """Convert an amount or a time zone; raises ValueError, to which msgspec adds the key."""
    if kind is ZoneInfo:
        with suppress(ValueError, OSError, LookupError):  # not in the system's time zones
            if isinstance(value, str):
                return ZoneInfo(value)
        raise ValueError(f'{_describe(value)} is not a time zone, such as "Europe/Berlin"')
    amount = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _MAX_BUDGET:
        raise ValueError(
            f"{_describe(value)} is not an amount of US dollars from 0 to {_MAX_BUDGET:,}, such as 5.00"
        )
    return Nanodollars(amount * NANODOLLARS)


def _describe(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return repr(value) if isinstance(value, str) else str(value).lower()  # true and inf, as TOML writes them
