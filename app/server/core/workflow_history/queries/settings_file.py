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

_LIMIT_KEYS: Final = BudgetLimits._fields
_TABLE_KEYS: Final = ("budget", "retention")
_SCOPE_KEYS: Final = ("templates", "projects")
_BUDGET_KEYS: Final = (*_LIMIT_KEYS, "time_zone", *_SCOPE_KEYS)
_NANODOLLARS: Final = 10**9  # in one US dollar
_MAX_BUDGET: Final = Decimal(10**9)  # maximum budget in US dollars: integer sums stay exact

TEMPLATE: Final = """\
# Budgets in US dollars, for `workflow-history budget check`. All are optional; delete what you do not need.
# A budget is exceeded when more than this was spent; runs of unknown cost are named, and count as spent 0.

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

# [[retention]]                     # runs that may go, for `workflow-history db prune --use-retention`
# older_than = "18mo"               # and any option that narrows lists: status = ["failed"]
# keep = 100                        # of those, the newest of each project stay
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """Budgets from the settings file."""

    path: Path
    budgets: Budgets
    time_zone: ZoneInfo | None  # time zone of days, weeks and months; None: local


def candidate_paths(path: Path | None = None) -> list[Path]:
    """Return the possible paths of the file in order of priority; a given path is the only one."""
    if path is not None:
        return [path]
    if named := os.environ.get(ENV_VARIABLE):
        return [Path(named)]
    return [Path(FILE_NAME), user_config_path("workflow-history", appauthor=False) / "config.toml"]


def read_config(path: Path | None = None) -> Settings:
    """Read the budgets; raise ConfigError if there is no file or its content is invalid."""
    config_path, _, content = _load(path)
    return _Reader(config_path).config(content)


def read_retention_rules(path: Path | None = None) -> list[RetentionRule]:
    """Read the retention rules; raise ConfigError if there is no file, no rule, or a rule is invalid."""
    config_path, _, content = _load(path)
    return _Reader(config_path).retention(content)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The config file in use, with its valid content."""

    path: Path
    text: str
    content: Mapping[str, Any]  # tables and keys as in the file


def load_config(path: Path | None = None) -> ConfigFile:
    """Read and validate the whole file; raise ConfigError if there is none or its content is invalid."""
    config_path, text, content = _load(path)
    _Reader(config_path).check(content)
    return ConfigFile(config_path, text, tomllib.loads(text))


def _load(path: Path | None) -> tuple[Path, str, dict[str, Any]]:
    """Return the path of the file in use, its text, and its content with exact decimals."""
    candidates = candidate_paths(path)
    config_path = next((candidate for candidate in candidates if candidate.is_file()), None)
    if config_path is None:
        names = " nor ".join(str(candidate) for candidate in candidates)
        raise ConfigMissingError(f"no settings in {names}; workflow-history budget init writes a first file")
    try:
        text = config_path.read_text("utf-8")
        return config_path, text, tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # also for numbers that are too long
        raise ConfigError(f"{config_path} is no TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{config_path} cannot be read: {error.strerror}") from error


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
            f"{config_path} is there already; edit it, or name another with --config"
        ) from error
    except OSError as error:
        raise ConfigError(f"{config_path} cannot be written: {error.strerror}") from error
    return config_path


@dataclass(frozen=True, slots=True)
class _Reader:
    """Parser of a settings file; every error names the file, the key and the allowed values."""

    path: Path

    def check(self, content: Mapping[str, Any]) -> None:
        """Validate each table of the file."""
        self._check_keys(content, _TABLE_KEYS, "")
        if "budget" in content:
            self.config(content)
        if "retention" in content:
            self.retention(content)

    def config(self, content: Mapping[str, Any]) -> Settings:
        self._check_keys(content, _TABLE_KEYS, "")
        if "budget" not in content:
            raise self._error("", "holds no [budget]; workflow-history budget init shows what one looks like")
        budget = self._require_table(content["budget"], "budget")
        self._check_keys(budget, _BUDGET_KEYS, "budget")
        scopes = {scope: self._parse_scope(budget.get(scope, {}), f"budget.{scope}") for scope in _SCOPE_KEYS}
        budgets = Budgets(self._parse_limits(budget, "budget"), **scopes)
        if not any(limit is not None for _, _, limits in budgets.scopes for limit in limits):
            raise self._error("budget", f"holds no amount; allowed: {', '.join(_LIMIT_KEYS)}")
        return Settings(self.path, budgets, self._parse_time_zone(budget.get("time_zone")))

    def retention(self, content: Mapping[str, Any]) -> list[RetentionRule]:
        self._check_keys(content, _TABLE_KEYS, "")
        tables = content.get("retention")
        if tables is None:
            raise self._error(
                "", "holds no [[retention]]; workflow-history budget init shows what one looks like"
            )
        rules = []
        for table in tables if isinstance(tables, list) else [tables]:
            try:
                rule = parse_rule(self._require_table(table, "retention"))
            except (InvalidQueryError, TypeError, ValueError, AttributeError) as error:
                raise self._error("retention", str(error)) from error
            if rule.matches_all:
                raise self._error(
                    "retention", "means every run; say an age, as older_than, or what narrows it"
                )
            rules.append(rule)
        return rules

    def _parse_scope(self, value: object, key: str) -> dict[str, BudgetLimits]:
        limits = {}
        for name, scope_table in self._require_table(value, key).items():
            scope_key = f"{key}.{name}"
            self._check_keys(self._require_table(scope_table, scope_key), _LIMIT_KEYS, scope_key)
            limits[name] = self._parse_limits(scope_table, scope_key)
        return limits

    def _parse_limits(self, table: Mapping[str, Any], key: str) -> BudgetLimits:
        return BudgetLimits(*(self._parse_amount(table.get(span), f"{key}.{span}") for span in _LIMIT_KEYS))

    def _parse_amount(self, value: object, key: str) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise self._error(
                key, f"is {_describe_value(value)}; allowed: an amount of US dollars such as 5.00"
            )
        amount = Decimal(value)
        if not amount.is_finite() or not 0 <= amount <= _MAX_BUDGET:
            raise self._error(key, f"is {value}; allowed: US dollars from 0 to {_MAX_BUDGET:,}")
        return int(amount * _NANODOLLARS)

    def _parse_time_zone(self, value: object) -> ZoneInfo | None:
        if value is None:
            return None
        try:
            if isinstance(value, str):
                return ZoneInfo(value)
        except (ValueError, OSError, LookupError):
            pass  # not in the time zone database of the system
        raise self._error(
            "budget.time_zone", f'is {_describe_value(value)}; allowed: a name such as "Europe/Berlin"'
        )

    def _require_table(self, value: object, key: str) -> Mapping[str, Any]:
        if not isinstance(value, dict):
            raise self._error(key, f"is {_describe_value(value)}; allowed: a table, written as [{key}]")
        return value

    def _check_keys(self, table: Mapping[str, Any], allowed: tuple[str, ...], key: str) -> None:
        unknown = [name for name in table if name not in allowed]
        if unknown:
            full_key = f"{key}.{unknown[0]}" if key else unknown[0]
            raise self._error(full_key, f"is unknown; allowed here: {', '.join(allowed)}")

    def _error(self, key: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.path}: {key} {problem}" if key else f"{self.path} {problem}")


def _describe_value(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        return f"the text {value!r}"
    return str(value).lower()  # true, false, inf and numbers, as TOML writes them
