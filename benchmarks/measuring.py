"""Run contestants in turn and measure their time, CPU time and memory, without judging the results."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

Name = TypeVar("Name")

_LOOK_EVERY = 0.02  # seconds between two memory samples


class ProcessFailedError(RuntimeError):
    """Raised if a measured process fails; the message contains its exit code and output."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Measurements of one contestant, one entry per round; times in seconds."""

    seconds: tuple[float, ...]
    cpu: tuple[float, ...] = ()
    results: tuple[Any, ...] = ()

    @property
    def median(self) -> float:
        """Median duration in seconds."""
        return median(self.seconds)

    @property
    def median_cpu(self) -> float:
        """Median CPU time in seconds."""
        return median(self.cpu)


@dataclass(frozen=True, slots=True)
class Finished:
    """Measurements of one finished process."""

    seconds: float
    cpu: float  # user and system time in seconds, including its children
    output: str
    peak_bytes: int | None  # peak proportional set size of the process tree; None if not measured


def timed(call: Callable[[], Any]) -> Timing:
    """Measure one call; the timing has one entry."""
    gc.collect()
    cpu, began = time.process_time(), time.perf_counter()
    result = call()
    return Timing((time.perf_counter() - began,), (time.process_time() - cpu,), (result,))


def in_turn(contestants: Mapping[Name, Callable[[], Any]], repeat: int) -> dict[Name, Timing]:
    """Measure each contestant `repeat` times in turn, every second round in reverse order."""
    runs: dict[Name, list[Timing]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(repeat):
        for name in names if number % 2 == 0 else reversed(names):
            result = timed(contestants[name])
            value = result.results[0]
            if isinstance(value, Finished):  # a process was measured by itself
                result = Timing((value.seconds,), (value.cpu,), (value,))
            runs[name].append(result)
    return {name: together(found) for name, found in runs.items()}


def together(timings: Sequence[Timing]) -> Timing:
    """Concatenate several timings into one."""
    return Timing(
        tuple(s for t in timings for s in t.seconds),
        tuple(c for t in timings for c in t.cpu),
        tuple(r for t in timings for r in t.results),
    )


def run_process(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, memory: bool = False
) -> Finished:
    """Run a process to its end and measure it.

    Raises ProcessFailedError with the end of its output if it fails.
    """
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env={**os.environ, **(env or {})}
        )
        watch = _MemoryWatch(process.pid) if memory else None
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = watch.stop() if watch else None
        out.seek(0)
        text = out.read().decode("utf-8", "replace")
    if process.returncode:
        raise ProcessFailedError(f"{Path(words[0]).name} ended with {process.returncode}: {text[-800:]}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, text, peak)


def run_python(*words: str, cwd: Path, memory: bool = False) -> Finished:
    """Run this Python interpreter with these arguments."""
    return run_process([sys.executable, *words], cwd=cwd, memory=memory)


class _MemoryWatch:
    """Thread that samples the memory of a process tree until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._done = threading.Event()
        self._peak = 0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Stop sampling and return the peak in bytes."""
        self._done.set()
        self._thread.join()
        return self._peak

    def _look(self) -> None:
        while not self._done.is_set():
            self._peak = max(self._peak, tree_bytes(self._pid))
            self._done.wait(_LOOK_EVERY)


def tree_bytes(pid: int) -> int:
    """Return the proportional set size of a process tree in bytes; 0 if it has ended or there is no /proc."""
    total, waiting = 0, [pid]
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        try:
            rollup = (process / "smaps_rollup").read_text()
            for task in (process / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
        total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return total
