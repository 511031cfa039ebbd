"""Sizes of the benchmark: parameters of the cases for each value of --size."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Parameters of all cases for one size."""

    name: str
    repeat: int  # measurements per contestant
    first_runs: int  # runs of the first sync, with five streams each
    stream_bytes: int  # mean size of a stream of the first sync
    plain_pairs_of: int  # runs compared pairwise by difflib; extrapolated if fewer than first_runs
    transcript_bytes: int  # total size of the native transcripts
    series: tuple[int, ...]  # numbers of small runs, each about twice the one before
    new_runs: int  # runs added before a later sync
    similar_of: tuple[int, ...]  # numbers of runs whose similarity is computed pairwise
    pairs_of: int  # runs compared pairwise by difflib, to measure the time per pair
    sample: int  # lists of similar runs that are verified pair by pair
    rows: int  # runs upserted
    rows_plain: int  # runs stored the naive baseline; extrapolated if fewer than rows
    big_stream: int  # bytes
    long_line: int  # bytes
    load: float  # duration of a load test in seconds


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
"""Size that the targets are set for."""

SMALL_RUN_STREAMS = 2
SMALL_RUN_BYTES = 6000
"""Mean size of a stream of the series, small because only the number of runs matters there."""
