"""Import all that the commands need, before processes are forked: nothing goes in, nothing comes out."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import alembic.command
import alembic.script  # noqa: F401

import app.server.core.workflow_history as package
from app.server.core.workflow_history.pipeline.read_run import prepare_worker

NOT_NEEDED = ("web", "demo", "__main__", "migrations")


def import_all() -> None:
    """Import every module of the program but the server's, and load what the first run needs."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not set(module.name.split(".")) & set(NOT_NEEDED) and "cli.commands.serve" not in module.name:
            import_module(module.name)
    prepare_worker()
