"""Plot seconds by number of runs as an SVG file. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MISSING = "the plot needs matplotlib: pip install --require-hashes -r requirements-bench.txt"


def draw(curves: Mapping[str, Mapping[int, float]], target: Path) -> bool:
    """Write the plot; return False if matplotlib is not installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional, the tables don't need it
    except ImportError:
        return False
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "benchmarks", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(9, 4.6))
    for name, points in curves.items():
        sizes = [size for size in sorted(points) if points[size] > 0]
        extrapolated = "extrapolated" in name
        axes.plot(
            sizes,
            [points[size] for size in sizes],
            label=name,
            marker=None if extrapolated else "o",
            markersize=3,
            linewidth=1.2,
            linestyle="--" if extrapolated or name == "bare walk" else "-",
            color="0.55" if extrapolated else None,
        )
    axes.set(xscale="log", yscale="log", xlabel="runs", ylabel="seconds, start-up apart")
    axes.grid(visible=True, which="major", linewidth=0.4, alpha=0.6)
    ticks = sorted({size for points in curves.values() for size in points})
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks])
    axes.set_xticks([], minor=True)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return True
