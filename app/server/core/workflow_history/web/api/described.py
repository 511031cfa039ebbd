"""How answers are described to programs: the name of a published schema in, OpenAPI out."""

from __future__ import annotations

from typing import Any, Final

from ...answers.schemas import PUBLISHED
from ..problems import MEDIA_TYPE, PROBLEM_SCHEMA

_PROBLEMS: Final = {
    401: "The server asks for a token.",
    404: "There is no such thing.",
    409: "The name stands for several.",
    422: "A parameter is not allowed; the detail says which and what is.",
    503: "The database cannot be read now.",
}


def gives(name: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return what an operation answers: one of PUBLISHED, or a problem."""
    return {
        status: {
            "description": "The answer, as `--json` gives it.",
            "content": {"application/json": {"schema": reference(name)}},
        },
        304: {"description": "The client has it already."},
        **problems(),
    }


def problems() -> dict[int | str, dict[str, Any]]:
    """Return what goes wrong, the same everywhere."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/problem"}}}
    return {status: {"description": said, "content": content} for status, said in _PROBLEMS.items()}


def reference(name: str) -> dict[str, str]:
    """Return where a published schema stands in the description."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Any]:
    """Return every published schema; parts of one are named after it, so that no two meet."""
    found: dict[str, Any] = {"problem": PROBLEM_SCHEMA}
    for name, make in PUBLISHED.items():
        schema = dict(make())
        parts = schema.pop("$defs", {})
        schema.pop("$schema", None)
        found[name] = _moved(schema, name)
        found.update({f"{name}.{part}": _moved(inner, name) for part, inner in parts.items()})
    return found


def _moved(value: Any, name: str) -> Any:
    """Return a schema whose references lead to where its parts stand here."""
    if isinstance(value, dict):
        return {key: _moved(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, name) for item in value]
    if isinstance(value, str) and value.startswith("#/$defs/"):
        return f"#/components/schemas/{name}.{value.removeprefix('#/$defs/')}"
    return value
