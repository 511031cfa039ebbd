"""Generate passwords with all punctuation characters, in the forms in which files contain them.

Every value is random and generated on demand.
"""

from __future__ import annotations

import json
import random
import shlex
import string
from collections.abc import Callable, Iterator

from app.server.tests.support.secret_list import Shape

SIGNS = string.punctuation
TYPED = string.ascii_letters + string.digits + SIGNS

Writer = Callable[[str], str]


def _yaml_single(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _env_double(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


FORMS: dict[str, Writer] = {
    "env": lambda value: f"DB_PASSWORD={value}",
    "env for a shell": lambda value: f"DB_PASSWORD={shlex.quote(value)}",
    "env before a command": lambda value: f"DB_PASSWORD={shlex.quote(value)} psql -h db shop",
    "export": lambda value: f"export X_PASSWORD={value}",
    "export for a shell": lambda value: f"export X_PASSWORD={shlex.quote(value)}",
    "export in double quotes": lambda value: f"export X_PASSWORD={_env_double(value)}",
    "line": lambda value: f"password: {value}",
    "json": lambda value: json.dumps({"user": "bob", "password": value, "port": 5432}),
    "json lines": lambda value: json.dumps({"db": {"password": value}}, indent=2),
    "json of an environment": lambda value: json.dumps({"DB_PASSWORD": value}),
    "json in json": lambda value: json.dumps({"body": json.dumps({"password": value})}),
    "yaml": lambda value: f"db:\n  host: db\n  password: {value}\n  port: 5432\n",
    "yaml in single quotes": lambda value: f"db:\n  password: {_yaml_single(value)}\n  port: 5432\n",
    "yaml in double quotes": lambda value: f"db:\n  password: {json.dumps(value)}\n  port: 5432\n",
    "yaml of an environment": lambda value: f"environment:\n  - DB_PASSWORD={value}\n  - PORT=1\n",
    "env file": lambda value: f"DB_HOST=db\nDB_PASSWORD={value}\nDB_PORT=5432\n",
    "env file in double quotes": lambda value: f"DB_HOST=db\nDB_PASSWORD={_env_double(value)}\nPORT=5432\n",
    "env file in single quotes": lambda value: f"DB_HOST=db\nDB_PASSWORD={shlex.quote(value)}\nPORT=5432\n",
}
"""Functions that write a password in a kind of file, quoted by its rules or bare, by name of the form."""


def typed_password(dice: random.Random) -> str:
    """Return 8 to 24 printable characters, at least two of them letters or digits and one punctuation."""
    while True:
        made = "".join(dice.choice(TYPED) for _ in range(dice.randint(8, 24)))
        if any(map(SIGNS.__contains__, made)) and sum(map(str.isalnum, made)) >= 2:
            return made


def password_shapes(dice: random.Random, each: int) -> Iterator[Shape]:
    """Yield every form with `each` passwords; any four consecutive characters of a password are secret."""
    for name, written in FORMS.items():
        for _ in range(each):
            value = typed_password(dice)
            yield Shape(name, written(value), (value,))


def _random(dice: random.Random, count: int) -> str:
    while True:
        made = "".join(dice.choice(string.ascii_letters + string.digits) for _ in range(count))
        if any(map(str.isdigit, made)) and any(map(str.isalpha, made)):
            return made


LIKE_TEMPLATES: dict[str, Callable[[random.Random], str]] = {
    "braces": lambda dice: f"{{{_random(dice, 4)}}}{_random(dice, 6)}",
    "braces inside": lambda dice: f"{_random(dice, 4)}{{{_random(dice, 3)}}}{_random(dice, 4)}",
    "angles": lambda dice: f"<{_random(dice, 4)}>{_random(dice, 6)}",
    "percent": lambda dice: f"%{_random(dice, 8)}",
    "percent twice": lambda dice: f"%{_random(dice, 4)}%{_random(dice, 5)}",
    "percent of a format": lambda dice: f"{_random(dice, 4)}%d{_random(dice, 4)}",
    "comma": lambda dice: f"{_random(dice, 5)},{_random(dice, 5)}",
    "semicolon": lambda dice: f"{_random(dice, 5)};{_random(dice, 5)}",
    "several": lambda dice: f"{_random(dice, 3)},;{_random(dice, 3)};{_random(dice, 4)}",
}
"""Generators of passwords that look like a template or like several values."""

PLACES_OF_A_VALUE: dict[str, Writer] = {
    **{
        name: FORMS[name]
        for name in ("env", "env for a shell", "line", "json", "yaml", "yaml in single quotes")
    },
    "env among others": lambda value: f"HOST=a DB_PASSWORD={value} PORT=1",
    "argument": lambda value: f"connect(host, password={value!r}, user='x')",
    "bare argument": lambda value: f"connect(host, password={value}, user=x)",
    "ini": lambda value: f"[db]\npassword = {value}\n",
    "option": lambda value: f"deploy --password {value} --now",
    "option with sign": lambda value: f"deploy --password={value} --now",
    "quoted option": lambda value: f"deploy --password '{value}' --now",
    "sentence": lambda value: f"the password is {value}, change it",
    "line of a sentence": lambda value: f"log in as bob, password: {value} please",
    "dsn": lambda value: f"Server=x;Password={value};Database=y",
    "form": lambda value: f"user=a&password={value}&go=1",
    "table": lambda value: f"| DB_PASSWORD | {value} |",
    "flow": lambda value: f"{{user: bob, password: {value}, port: 1}}",
    "mysql": lambda value: f"mysql -uroot -p'{value}' shop",
    "curl": lambda value: f"curl -u 'bob:{value}' https://example.org",
    "sshpass": lambda value: f"sshpass -p '{value}' ssh bob@host",
}
"""Functions that write such a password into a text, by name of the place."""

DEFAULTS = (
    "DB_PASSWORD=${{DB_PASSWORD:-{}}}",
    "DB_PASSWORD=${{OTHER:-{}}}",
    'export PASSWORD="${{PW:-{}}}"',
    "password: ${{DB_PASS:-{}}}",
    "url: postgres://app:${{DB_PASSWORD:-{}}}@db/shop",
    "echo ${{DB_PASSWORD-{}}}",
    ": ${{DB_PASSWORD:={}}}",
    "      - DB_PASSWORD=${{DB_PASSWORD:-{}}}",
)
"""Templates of shell default values for unset variables."""

QUOTED = (
    'password="{}"',
    "password: '{}'",
    '{{"user": "bob", "password": "{}"}}',
    "DB_PASSWORD='{}'",
    'password = "{}";',
    "<password>{}</password>",
    "deploy --password '{}' --now",
)


def words_of(dice: random.Random) -> str:
    """Return a passphrase of three words."""
    return " ".join(
        "".join(dice.choice(("ka", "lo", "mi", "ru", "te", "zo")) for _ in range(3)) for _ in "abc"
    )


def default_of(dice: random.Random) -> str:
    """Return a password as people type it, sometimes only letters."""
    word = "".join(dice.choice(("bra", "fen", "gul", "pex", "vid", "wob")) for _ in range(4))
    return dice.choice((word, f"{word}{dice.randint(10, 99)}", f"{word[:5]}!{dice.randint(10, 99)}"))


def is_kept(value: str, clean: str) -> bool:
    """Return whether a text contains four consecutive characters of a password."""
    return any(value[at : at + 4] in clean for at in range(len(value) - 3))
