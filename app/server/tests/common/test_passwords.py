"""Passwords with any character are redacted, and the text beside them is kept."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.server.core.workflow_history import database
from app.server.core.workflow_history.common.redaction import redact_json, redact_text
from app.server.core.workflow_history.storage.history import History
from app.server.core.workflow_history.sync import sync_workflow_history
from app.server.tests.support.build import (
    PLACES,
    run_with_texts,
)
from app.server.tests.support.password_list import (
    DEFAULTS,
    FORMS,
    LIKE_TEMPLATES,
    PLACES_OF_A_VALUE,
    QUOTED,
    default_of,
    is_kept,
    password_shapes,
    typed_password,
    words_of,
)

PROGRAMS = (
    'password: getpass.getpass("Password: ")[0],\n',
    "    password=self._settings.get(name)[0],\n",
    "password: /^(?=.*[A-Z])(?=.*\\d).{8,}$/,\n",
    "    password: Joi.string().min(8).required(),\n",
    "  password: z.string().min(8),\n",
    "password: `${user}:${pass}`,\n",
    "PASSWORD=$(cat /run/secrets/db)\n",
    "DB_PASSWORD=${DB_PASSWORD:-changeme}\n",
    'export DB_PASSWORD="$(pass show db)"\n',
    "DB_PASSWORD=%env(resolve:DB_PASSWORD)%\n",
    "password: {{ vault.db.password }}\n",
    "password: <%= ENV['DB_PASSWORD'] %>\n",
    "password: Optional[str],\n",
    "password: &'static str,\n",
    "{user:e.user,password:e.password,remember:!0,x:t(e)[1]}",
    "password = hash(salt + word)[:16]\n",
    "password: (value) => value.length >= 8,\n",
    '"password": "^[a-z]+$"',
    '"password": "{{user}}-{{host}}"',
    '"password": "%(user)s:%(host)s"',
    "password: 'Password *',\n",
    "pw = [1]*N\n",
    "secret: (uint8_t const*) bytes;\n",
)


@pytest.mark.parametrize("form", FORMS)
def test_hardly_a_password_with_signs_stays_in_any_form(form: str) -> None:
    dice = random.Random(form)
    values = [typed_password(dice) for _ in range(400)]
    kept = [text for value in values if is_kept(value, redact_text(text := FORMS[form](value)))]
    assert len(kept) <= 0.06 * len(values), kept


@pytest.mark.parametrize("text", PROGRAMS)
def test_what_a_program_says_of_a_password_stays_as_it_is(text: str) -> None:
    assert redact_text(text) is text


def test_what_stands_around_a_password_stays_as_it_is() -> None:
    for text, clean in (
        ('run("DB_PASSWORD=x9$Kq&;f", y)', 'run("DB_PASSWORD=[secret: password]", y)'),
        ("(DB_PASSWORD='x9)Kq&;f' psql) | y", "(DB_PASSWORD='[secret: password]' psql) | y"),
        ("A=1\nDB_PASSWORD=x9\"Kq'f#(\nB=2", "A=1\nDB_PASSWORD=[secret: password]\nB=2"),
        ("export X_PASSWORD='x9'\"'\"'Kq' && y", "export X_PASSWORD='[secret: password]' && y"),
        ('{"password": "x9\\"Kq\\\\#f", "port": 1}', '{"password": "[secret: password]", "port": 1}'),
        ("password: 'it''s!x9#', port: 1", "password: '[secret: password]', port: 1"),
        ('password: "x9#Kq!f\n  port: 1', 'password: "[secret: password]\n  port: 1'),
        ("Server=db;Password=x9#Kq!f;Port=1", "Server=db;Password=[secret: password];Port=1"),
        ('"a": "A=1\\nDB_PASSWORD=x9#Kq!f\\nB=2"', '"a": "A=1\\nDB_PASSWORD=[secret: password]\\nB=2"'),
    ):
        assert redact_text(text) == clean
        assert redact_text(clean) == clean


@pytest.mark.parametrize("kind", LIKE_TEMPLATES)
@pytest.mark.parametrize("place", PLACES_OF_A_VALUE)
def test_a_password_that_looks_like_a_template_or_like_several_values_is_taken_whole(
    kind: str, place: str
) -> None:
    dice = random.Random(f"{kind} {place}")
    values = [LIKE_TEMPLATES[kind](dice) for _ in range(60)]
    kept = [text for value in values if is_kept(value, redact_text(text := PLACES_OF_A_VALUE[place](value)))]
    assert len(kept) <= 0.15 * len(values), kept


@pytest.mark.parametrize("form", DEFAULTS)
def test_what_a_shell_takes_where_a_variable_is_not_set_is_a_password(form: str) -> None:
    dice = random.Random(form)
    for value in (default_of(dice) for _ in range(50)):
        assert redact_text(form.format(value)) == form.format("[secret: password]")


@pytest.mark.parametrize("form", QUOTED)
def test_a_password_of_several_words_is_taken_whole_where_quotes_hold_it(form: str) -> None:
    dice = random.Random(form)
    for value in ("a b c", *(words_of(dice) for _ in range(50))):
        assert redact_text(form.format(value)) == form.format("[secret: password]")


@pytest.mark.parametrize(
    "value",
    [
        "<your-password>", "<your password>", "<DB_PASSWORD>", "${DB_PASSWORD}", "${DB_PASSWORD:-}",
        "${X:?unset}", "{{ secret }}", "{{ vault.db.password }}", "${{ secrets.DB_PASSWORD }}",
        "%(password)s", "%(user)s:%(pw)s", "%DB_PASSWORD%", "%s", "%s_upgrades", "{password}",
        "{user}-{password}", "{name}_token", "#{password}", "${DB_PASSWORD:-${OTHER_PASSWORD}}",
        "${DB_PASSWORD:-changeme}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "form", ["DB_PASSWORD={}", "password: {}\n", 'password="{}"', '{{"password": "{}"}}']
)
def test_what_stands_for_a_password_stays_readable(form: str, value: str) -> None:
    text = form.format(value)
    assert redact_text(text) is text


@pytest.mark.parametrize(
    "message",
    [
        "Enter your password", "must not be empty", "at least 8 characters", "Forgot it?", "Show or hide",
        "does not match", "is too short", "Please enter it again", "a string", "Wrong PIN", "Mot de passe",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ['password: "{}"', '{{"password": "{}"}}', "password='{}'"])
def test_what_is_said_of_a_password_in_quotes_stays_as_it_is(form: str, message: str) -> None:
    text = form.format(message)
    assert redact_text(text) is text


def test_a_value_of_a_state_file_may_hold_quotes() -> None:
    dice = random.Random(3)
    values = [typed_password(dice) for _ in range(400)]
    kept = [value for value in values if redact_json({"db_password": value}) == {"db_password": value}]
    assert len(kept) <= 0.06 * len(values), kept


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from texts_of([*value, *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_of(item)


def test_hardly_a_password_with_signs_is_stored_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "own.db"
    monkeypatch.setenv("WORKFLOW_HISTORY_DB", str(file))
    said = {place: list(password_shapes(random.Random(place), 4)) for place in PLACES}
    agents = tmp_path / "shop" / "agents"
    for number in range(len(said["request"])):
        text = {place: said[place][number].text for place in PLACES}
        state = {"note": {"deep": [text["state"]]}, "branch_name": f"feature/{text['branch']}"}
        run_with_texts(agents, f"{number:08x}", text, **state)
    sync_workflow_history(silent=True, agents_dir=agents)
    kept: list[tuple[str, str]] = []
    with History.open(file), sqlite3.connect(file) as connection:  # as long as one is open, its log is there
        bytes_kept = b"".join(each.read_bytes() for each in file.parent.glob(f"{file.name}*"))
        signatures = "\n".join(row[0] for row in connection.execute("SELECT signature FROM patterns"))
    connection.close()
    for number in range(len(said["request"])):
        found = "\n".join(texts_of(database.load_workflow(f"{number:08x}"))) + signatures
        for place in PLACES:
            shape = said[place][number]
            if shape.secrets[0].encode() in bytes_kept or is_kept(shape.secrets[0], found):
                kept.append((place, shape.text))
    assert len(kept) <= 0.06 * len(PLACES) * len(said["request"]), kept


@pytest.mark.parametrize("name", ["SECRET_KEY", "DJANGO_SECRET_KEY", "secret-key", "secretKey"])
@pytest.mark.parametrize("value", ["hunter2!x99", "p9$kd!2mfQz"])
def test_a_secret_key_is_taken_out_as_a_secret_is(name: str, value: str) -> None:
    assert value not in redact_text(f"{name}={value}")
