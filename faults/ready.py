"""Import everything that the commands need, before processes are forked."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import alembic.command
import alembic.script  # noqa: F401

import app.server.core.workflow_history as package
from app.server.core.workflow_history.pipeline.read_run import prepare_worker

NOT_NEEDED = ("web", "demo", "__main__", "migrations")


def import_all() -> None:
    """Import all modules of the program except the web server, and prepare the process for reading runs."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not set(module.name.split(".")) & set(NOT_NEEDED) and "cli.commands.serve" not in module.name:
            import_module(module.name)
    prepare_worker()
