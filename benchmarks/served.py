"""Serve a history on a free local port: `python -m benchmarks.served DATABASE SECONDS`.

It prints its address. SECONDS is how long responses are cached; 0 disables the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from app.server.core.workflow_history.web.serving import ServerSettings, serve_forever

_SECONDS_TO_END = 20


@contextmanager
def server(database: Path, seconds: float) -> Iterator[int]:
    """Start a server in its own process, yield its port and stop it afterwards."""
    words = [sys.executable, "-m", __name__, str(database), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the server says nothing")
            yield urlsplit(json.loads(process.stdout.readline())).port or 0
        finally:
            process.terminate()
            process.wait(_SECONDS_TO_END)


def main() -> None:
    """Serve until stopped."""
    os.environ["WORKFLOW_HISTORY_DB"] = sys.argv[1]
    settings = ServerSettings(port=0, cache_seconds=float(sys.argv[2]))
    serve_forever(settings, lambda address: print(json.dumps(address), flush=True))  # noqa: T201 - output


if __name__ == "__main__":
    main()
