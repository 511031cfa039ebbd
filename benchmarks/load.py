"""Load generator: send requests over several connections for a few seconds and measure the response times.

Run as its own process: `python -m benchmarks.load PORT CONNECTIONS SECONDS < paths`. It prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Load:
    """Result of a load test; response times in seconds."""

    requests: int  # number of responses
    seconds: float  # duration of the test
    p50: float  # median response time
    p99: float  # 99th percentile of the response times
    worst: float  # longest response time
    wrong: int  # number of responses with a status other than 200

    @property
    def per_second(self) -> float:
        """Responses per second."""
        return self.requests / self.seconds


async def asked(port: int, paths: Sequence[str], connections: int, seconds: float) -> Load:
    """Request the paths in turn, repeatedly, with one pending request per connection."""
    places, took, wrong = count(), [], 0
    end = perf_counter() + seconds

    async def one() -> None:
        nonlocal wrong
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (begun := perf_counter()) < end:
            path = paths[next(places) % len(paths)]
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
            took.append(perf_counter() - begun)
            wrong += " 200 " not in head.split("\r\n")[0]
        writer.close()

    begun = perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    took.sort()
    last = len(took) - 1
    return Load(
        len(took),
        perf_counter() - begun,
        took[last // 2],
        took[round(last * 0.99)],
        took[last],
        wrong,
    )


def main() -> None:
    """Read paths from standard input, run the load test and print the result as JSON."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    found = asyncio.run(asked(port, sys.stdin.read().split(), connections, seconds))
    print(json.dumps(asdict(found)))  # noqa: T201 - output of this program


if __name__ == "__main__":
    main()
