"""Regenerate all generated pages and pictures of docs/. Run by `make docs`."""

from __future__ import annotations

from benchmarks import page

from . import (
    console_docs,
    make_cli_docs,
    make_json_schemas,
    make_pictures,
    make_rest_examples,
    make_schema_docs,
)


def main() -> None:
    """Run all generators one after another."""
    make_schema_docs.main()
    make_json_schemas.main()
    make_rest_examples.main()
    make_cli_docs.main()
    console_docs.main()
    make_pictures.main()
    page.write()


if __name__ == "__main__":
    main()
