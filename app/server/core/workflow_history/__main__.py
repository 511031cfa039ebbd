"""Entry point of `python -m workflow_history` and of the installed command."""

from __future__ import annotations

from .cli.app import main

if __name__ == "__main__":
    main()
