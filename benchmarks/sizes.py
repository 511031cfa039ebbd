"""How much is measured: one table, a column for each --size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """How big each case is."""

    name: str
    repeat: int  # times that each contestant runs
    first_runs: int  # of five streams each
    stream_bytes: int
    plain_pairs_of: int  # runs that difflib compares; fewer than first_runs: extrapolated
    transcript_bytes: int
    series: tuple[int, ...]  # small runs; each twice the one before
    new_runs: int
    similar_of: tuple[int, ...]  # runs that are compared, each with each
    pairs_of: int  # runs that difflib compares, each with each, to know what a pair takes
    sample: int  # of their lists, evaluated plainly
    rows: int  # upserted
    rows_plain: int  # stored by the naive baseline; fewer than rows: extrapolated
    big_stream: int  # bytes
    long_line: int  # bytes
    load: float  # seconds that a server is asked for


SIZES = {
    size.name: size
    for size in (
        Size(
            name="tiny", repeat=1, first_runs=6, stream_bytes=20_000, plain_pairs_of=6,
            transcript_bytes=1_000_000, series=(20, 40), new_runs=5, similar_of=(100, 200), pairs_of=12,
            sample=3, rows=200, rows_plain=50, big_stream=3_000_000, long_line=500_000, load=0.5,
        ),
        Size(
            name="small", repeat=5, first_runs=200, stream_bytes=200_000, plain_pairs_of=80,
            transcript_bytes=160_000_000, series=(500, 1000, 2000), new_runs=100,
            similar_of=(1000, 10_000), pairs_of=50, sample=5, rows=10_000, rows_plain=1000,
            big_stream=150_000_000, long_line=20_000_000, load=5.0,
        ),
        Size(
            name="full", repeat=5, first_runs=1000, stream_bytes=200_000, plain_pairs_of=1000,
            transcript_bytes=700_000_000,
            series=(1563, 3125, 6250, 12_500, 25_000, 50_000, 100_000), new_runs=100,
            similar_of=(10_000, 100_000), pairs_of=50, sample=3, rows=100_000, rows_plain=2000,
            big_stream=700_000_000, long_line=50_000_000, load=5.0,
        ),
    )
}  # fmt: skip

FULL = SIZES["full"]
"""The size that the targets are set for."""

SMALL_RUN_STREAMS = 2
SMALL_RUN_BYTES = 6000
"""A stream of the runs of the series: it is their number that counts there."""
