"""`python -m workflow_history` and the installed command: the command line, and nothing else."""

from __future__ import annotations

from .cli.app import main

if __name__ == "__main__":
    main()
