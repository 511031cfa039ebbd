"""Find the config file (TOML), read its tables and convert them, with errors that name file, key and remedy.

An unknown key is an error: a budget with a typo in its name would never be exceeded.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
from platformdirs import user_config_path

from ...common.errors import ConfigError
from ...common.urls import refuse_url

ENV_VARIABLE: Final = "WORKFLOW_HISTORY_CONFIG"
FILE_NAME: Final = "workflow-history.toml"

_UNKNOWN_KEY: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NOT_A_TABLE: Final = re.compile(r"Expected `(?:object|array).*`, got `(.*)`")


class ConfigTables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All tables of the file; None: not in the file."""

    budget: dict[str, Any] | None = None
    retention: dict[str, Any] | list[dict[str, Any]] | None = None
    prices: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The config file in use."""

    path: Path
    text: str
    tables: ConfigTables  # with exact decimals


def candidate_paths(path: Path | None = None) -> list[Path]:
    """Return the possible paths of the file in order of priority; a given path is the only one."""
    if path is not None:
        refuse_url(path)
        return [path]
    if named := os.environ.get(ENV_VARIABLE):
        refuse_url(named)
        return [Path(named)]
    return [Path(FILE_NAME), user_config_path("workflow-history", appauthor=False) / "config.toml"]


def find_config(path: Path | None = None) -> ConfigFile | None:
    """Read the config file in use, or return None if there is none.

    Raises ConfigError if it cannot be read, is not TOML, or has an unknown table.
    """
    config_path = next((candidate for candidate in candidate_paths(path) if candidate.is_file()), None)
    if config_path is None:
        return None
    try:
        text = config_path.read_text("utf-8")
        content = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:  # also for numbers that are too long
        raise ConfigError(f"{config_path} is not valid TOML: {error}") from error
    except OSError as error:
        raise ConfigError(f"{config_path} cannot be read: {error.strerror}") from error
    return ConfigFile(config_path, text, convert_table(config_path, "", content, ConfigTables))


_Table = TypeVar("_Table", bound=msgspec.Struct)


def convert_table(
    path: Path,
    table: str,
    content: object,
    kind: type[_Table],
    convert_value: Callable[[type, Any], Any] | None = None,
) -> _Table:
    """Convert a table; raise ConfigError with the file, the key and the allowed keys or values.

    `convert_value` converts values of other types than those of TOML; it raises ValueError.
    """
    try:
        return msgspec.convert(content, kind, dec_hook=convert_value)
    except msgspec.ValidationError as error:
        problem, _, key = str(error).partition(" - at `$")
        name = f"{table}{key.removesuffix('`')}".lstrip(".")
        if unknown := _UNKNOWN_KEY.fullmatch(problem):
            problem = f"unknown key {unknown[1]!r}; allowed: {', '.join(kind.__struct_fields__)}"
        elif other := _NOT_A_TABLE.fullmatch(problem):
            problem = f"expected a table [{name}], but found {other[1]}"
        raise ConfigError(f"{path}: {name}: {problem}" if name else f"{path}: {problem}") from error


def describe_value(value: object) -> str:
    """Return a value as TOML writes it, such as true and inf; a table or a list by its kind.

    >>> describe_value(True), describe_value("x"), describe_value({})
    ('true', "'x'", 'a table')
    """
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return repr(value) if isinstance(value, str) else str(value).lower()
