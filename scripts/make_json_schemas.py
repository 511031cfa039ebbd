"""Generate docs/json/: the JSON Schemas of all commands' --json output."""

from __future__ import annotations

import json
from pathlib import Path

from app.server.core.workflow_history.queries.json.schemas import SCHEMAS, get_schema

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "json"


def files() -> dict[str, str]:
    """Return the content of every schema file by its name."""
    return {f"{name}.schema.json": json.dumps(get_schema(name), indent=2) + "\n" for name in SCHEMAS}


def main() -> None:
    """Write the schema files and delete those that are no longer published."""
    written = files()
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.glob("*.schema.json"):
        if file.name not in written:
            file.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
