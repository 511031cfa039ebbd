"""Validate the config file with budgets, retention rules and prices, or create a first one."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from ..analysis.anomalies.budgets import SPANS, BudgetLimits, Budgets, Nanodollars
from ..common.errors import ConfigError, ConfigMissingError, InvalidQueryError
from ..common.spending import NANODOLLARS
from ..common.temporary_files import scratch_folder
from ..ingest.config.config_file import (
    ConfigFile,
    candidate_paths,
    convert_table,
    describe_value,
    find_config,
)
from ..ingest.config.own_prices import parse_prices
from ..maintenance.retention_rules import RetentionRule, parse_rule

_MAX_BUDGET: Final = Decimal(10**9)  # maximum budget in US dollars: integer sums stay exact

_EXAMPLE_HINT: Final = "workflow-history budget init --config NEW_FILE writes an example"
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

# [prices]                          # for computed costs; see docs/costs.md
# discount = 0.15                   # share taken off all list prices

# [prices.models.my-model]          # US dollars per million tokens
# input = 1.25
# output = 10.00
# cache_read = 0.125
"""


class _BudgetTable(BudgetLimits, frozen=True):
    """The table [budget]."""

    time_zone: ZoneInfo | None = None
    # Converted one by one, so that errors name the table.
    workflows: dict[str, Any] = msgspec.field(default_factory=dict)
    projects: dict[str, Any] = msgspec.field(default_factory=dict)
    templates: dict[str, Any] = msgspec.field(default_factory=dict)  # former name of `workflows`


@dataclass(frozen=True, slots=True)
class Settings:
    """Budgets from the settings file."""

    path: Path
    budgets: Budgets
    time_zone: ZoneInfo | None  # time zone of days, weeks and months; None: local


def read_config(path: Path | None = None) -> Settings:
    """Read the budgets; raise ConfigError if there is no file or its content is invalid."""
    return _parse_budgets(_load(path))


def read_retention_rules(path: Path | None = None) -> list[RetentionRule]:
    """Read the retention rules; raise ConfigError if there is no file, no rule, or a rule is invalid."""
    return _parse_retention(_load(path))


@dataclass(frozen=True, slots=True)
class ValidConfig:
    """The config file in use, with its valid content."""

    path: Path
    text: str
    content: Mapping[str, Any]  # tables and keys as in the file


def load_config(path: Path | None = None) -> ValidConfig:
    """Read and validate the whole file; raise ConfigError if there is none or its content is invalid."""
    config = _load(path)
    if config.tables.budget is not None:
        _parse_budgets(config)
    if config.tables.retention is not None:
        _parse_retention(config)
    parse_prices(config)
    return ValidConfig(config.path, config.text, tomllib.loads(config.text))


def _load(path: Path | None) -> ConfigFile:
    config = find_config(path)
    if config is None:
        names = " or ".join(map(str, candidate_paths(path)))
        raise ConfigMissingError(f"No config file at {names}. Create one with: workflow-history budget init")
    return config


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


def _parse_budgets(config: ConfigFile) -> Settings:
    path, content = config.path, config.tables.budget
    if content is None:
        raise ConfigError(f"{path} has no table [budget]; {_EXAMPLE_HINT}")
    table = convert_table(path, "budget", content, _BudgetTable, _convert_value)

    def limits_of(scope: str, tables: dict[str, Any]) -> dict[str, BudgetLimits]:
        return {
            name: convert_table(path, f"budget.{scope}.{name}", limits, BudgetLimits, _convert_value)
            for name, limits in tables.items()
        }

    if both := sorted(table.workflows.keys() & table.templates.keys()):
        raise ConfigError(f"{path}: [budget.workflows.{both[0]}] is there twice, also as budget.templates")
    workflows = limits_of("workflows", table.workflows) | limits_of("templates", table.templates)
    budgets = Budgets(table, workflows, limits_of("projects", table.projects))
    if all(limits.is_empty for _, _, limits in budgets.scopes):
        raise ConfigError(f"{path}: [budget] has no amount; allowed: {', '.join(SPANS)}")
    return Settings(path, budgets, table.time_zone)


def _parse_retention(config: ConfigFile) -> list[RetentionRule]:
    path, content = config.path, config.tables.retention
    if content is None:
        raise ConfigError(f"{path} has no table [[retention]]; {_EXAMPLE_HINT}")
    rules = []
    for table in content if isinstance(content, list) else [content]:
        try:
            rule = parse_rule(table)
        except (InvalidQueryError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"{path}: [[retention]]: {error}") from error
        if rule.matches_all:
            raise ConfigError(f"{path}: [[retention]] selects every run; add an age (older_than) or a filter")
        rules.append(rule)
    return rules


def _convert_value(kind: type, value: Any) -> Any:
    """Convert an amount or a time zone; raises ValueError, to which msgspec adds the key."""
    if kind is ZoneInfo:
        with suppress(ValueError, OSError, LookupError):  # not in the system's time zones
            if isinstance(value, str):
                return ZoneInfo(value)
        raise ValueError(f'{describe_value(value)} is not a time zone, such as "Europe/Berlin"')
    amount = Decimal(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else None
    if amount is None or not amount.is_finite() or not 0 <= amount <= _MAX_BUDGET:
        raise ValueError(
            f"{describe_value(value)} is not an amount of US dollars from 0 to {_MAX_BUDGET:,}, such as 5.00"
        )
    return Nanodollars(amount * NANODOLLARS)
