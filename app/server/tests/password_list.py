"""Passwords with every sign of a keyboard, in the forms in which files hold them: dice in, shapes out.

Every value is made up when it is asked for.
"""

from __future__ import annotations

import json
import random
import shlex
import string
from collections.abc import Callable, Iterator

from .secret_list import Shape

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
"""How a password is written down, quoted and bare; each by the quoting rules of its kind of file."""


def typed_password(dice: random.Random) -> str:
    """Return 8 to 24 printable characters of which two at least are letters or digits, and one is a sign."""
    while True:
        made = "".join(dice.choice(TYPED) for _ in range(dice.randint(8, 24)))
        if any(map(SIGNS.__contains__, made)) and sum(map(str.isalnum, made)) >= 2:
            return made


def password_shapes(dice: random.Random, each: int) -> Iterator[Shape]:
    """Yield every form with `each` passwords; of a password, every four characters in a row are secret."""
    for name, written in FORMS.items():
        for _ in range(each):
            value = typed_password(dice)
            yield Shape(name, written(value), (value,))


def is_kept(value: str, clean: str) -> bool:
    """Tell whether four characters in a row of a password stand in a text."""
    return any(value[at : at + 4] in clean for at in range(len(value) - 3))
