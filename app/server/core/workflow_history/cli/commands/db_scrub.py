"""`workflow-history db scrub`: takes secrets, or all texts, out of a history that was made before."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from ... import database
from ...wording.syncing import secrets_taken
from ..screen import screen_of

EXAMPLES = """
Examples:
  workflow-history db scrub
  workflow-history db scrub --no-text --yes
"""


def scrub(
    context: typer.Context,
    no_text: Annotated[
        bool, typer.Option("--no-text", help="Take out all that was asked, said and typed, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Really take out all texts.")] = False,
) -> None:
    """Take secrets out of a history that was made before.

    A sync takes them out by itself: this is for what older versions stored, or rules did not know yet.
    Nothing of it stays in the database's files. Stop other programs that have the history open.
    """
    if no_text and not yes:
        raise typer.BadParameter(
            "all that was asked, said and typed goes for good; make a copy (db backup), then say --yes too",
            param_hint="'--no-text'",
        )
    found = database.scrub(no_text=no_text)
    screen = screen_of(context)
    if screen.as_json:
        screen.give({"rows_changed": found.rows, "secrets": found.secrets, "text_kept": found.keeps_text})
    elif not screen.quiet:
        said = secrets_taken(found.secrets) or "no secret was found"
        rest = "; no text is kept from now on" if not found.keeps_text else ""
        screen.show(Text(f"✓ {said}{rest}", "green"))
