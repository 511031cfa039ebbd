"""Run a Python program as if the processor had no optional features.

    python -m scripts.plain_processor -m pytest app/server/tests/queries/test_forecast.py

numpy, its linear algebra library and the C library select code by processor features and threads by the
number of cores. Environment variables make each of them select the most basic code and one thread.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys

_C_LIBRARY = ",".join(
    f"-{feature}" for feature in ("AVX512F", "AVX2", "FMA", "FMA4", "AVX2_Usable", "FMA_Usable")
)
_PLAINEST = {"x86_64": "Nehalem", "AMD64": "Nehalem", "aarch64": "ARMV8", "arm64": "ARMV8"}


def surroundings() -> dict[str, str]:
    """Return this process's environment with all optional processor features disabled."""
    import numpy._core._multiarray_umath as umath  # noqa: PLC0415 - the only place that lists its features

    optional = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    found = {
        **os.environ,
        "NPY_DISABLE_CPU_FEATURES": " ".join(optional),
        "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={_C_LIBRARY}",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    core = _PLAINEST.get(platform.machine())
    return found | ({"OPENBLAS_CORETYPE": core} if core else {})


def main() -> None:
    """Run Python with the arguments of this program and exit with its exit code."""
    sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=surroundings(), check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
