"""`workflow-history serve`: serve the history to browsers and REST clients until stopped."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from ... import database
from ...common.errors import WorkflowHistoryError
from ...common.formatting.text import single_line
from ...ingest.files import FolderPath, RemoteFolder
from ...ingest.sources.discovery import find_transcripts
from ...queries.json.types import ServerInfo
from ..common_options import Command
from ..folders import Directory, ProjectToStore, resolve_watched_folders
from ..output import Output, get_output

if TYPE_CHECKING:  # `serve` imports the server lazily
    from ...web.settings import ServerSettings

app = typer.Typer(add_completion=False)

EXAMPLES = """
Examples:
  workflow-history serve
  workflow-history serve path/to/project --port 8080
  workflow-history serve --host 0.0.0.0 --allowed-host history.example --generate-token
"""

_ALL_ADDRESSES_NOTE = (
    "listening on all addresses; other machines use a name or address given with --allowed-host"
)

GENERATE_TOKEN = "new"  # noqa: S105 - former form of --generate-token


@app.command(epilog=EXAMPLES, cls=Command)
def serve(  # noqa: PLR0917 - a command line has many options
    context: typer.Context,
    directory: Directory = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Address to listen on; others than 127.0.0.1 need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 selects a free one.", min=0, max=65535)
    ] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="Require this bearer token. Better: the environment variable.",
            envvar="WORKFLOW_HISTORY_TOKEN",
        ),
    ] = None,
    generate_token: Annotated[
        bool, typer.Option("--generate-token", help="Require a new random token, and print it.")
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--allowed-host", metavar="HOST", help="Also accept this Host header. Repeatable."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--watch/--no-watch", help="Sync when files change, or only on request.")
    ] = True,
    project: ProjectToStore = None,
) -> None:
    """Serve the browser UI and the REST API.

    Watches the agents directories of a project: changes appear in the history and on open pages within
    seconds.

    Only this machine can connect, unless you set --host. Stop it with Ctrl-C. With --quiet, prints no
    address.
    """
    output = get_output(context)
    # The server's packages are an extra, and take longer to import than most commands run.
    try:
        from ...web.serving import ServerSettings, serve_forever  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise WorkflowHistoryError(
            f"serve needs {error.name}. Install it with: pip install 'workflow-history[web]'"
        ) from error
    if database.history_exists():
        database.schema_version()  # an unreadable history is reported now, not on every page
    generated = secrets.token_urlsafe(24) if generate_token or token == GENERATE_TOKEN else None
    settings = ServerSettings(
        host=host,
        port=port,
        token=generated or token,
        host_names=tuple(name or ()),
        folders=tuple(folder.absolute() for folder in resolve_watched_folders(directory)),
        follow=follow,
        project=project,
    )
    # A token that the user chose is known and must not be logged.
    serve_forever(settings, lambda address: _print_address(output, address, generated, settings))


def _print_address(output: Output, address: str, new_token: str | None, settings: ServerSettings) -> None:
    if output.as_json:
        followed = [str(folder) for folder in settings.folders] if settings.follow else []
        first = followed[0] if followed else None
        output.print_json(ServerInfo(address, new_token, first, followed))
    elif not output.quiet:
        output.out.print(f"Workflow History is at {address}", soft_wrap=True)
        if settings.listens_on_all_addresses:
            output.out.print(_ALL_ADDRESSES_NOTE, soft_wrap=True)
        if new_token is not None:
            output.out.print(f"token: {new_token}", soft_wrap=True)
        for folder in settings.folders or (None,):
            output.out.print(_describe_watching(folder, follow=settings.follow), soft_wrap=True)
        output.out.print("stop with Ctrl-C", style="dim")


def _describe_watching(folder: FolderPath | None, *, follow: bool) -> str:
    if folder is None:
        return "not watching: there is no ./agents; start with: workflow-history serve path/to/project"
    path = single_line(folder)
    if not follow:
        return f"not watching: {path} is synced on request"
    if isinstance(folder, RemoteFolder):
        return f"watching {path}, by listing it once a minute"
    if (transcripts := find_transcripts(folder)) is not None and transcripts.alone:
        return f"watching the transcripts in {path}"
    return f"watching {path}" if folder.is_dir() else f"waiting for {path}: it does not exist yet"
