"""Run a Python program as on a processor without optional features: arguments in, its exit code out.

    python -m scripts.plain_processor -m pytest app/server/tests/queries/test_forecast.py

numpy, its linear algebra and the C library choose code by the processor, and threads by the number of its
cores. Environment variables make each of them choose the plainest.
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
    """Return this process's environment with everything optional switched off."""
    import numpy._core._multiarray_umath as umath  # noqa: PLC0415 - names its features nowhere else

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
    """Run Python with the arguments of this program."""
    sys.exit(subprocess.run([sys.executable, *sys.argv[1:]], env=surroundings(), check=False).returncode)  # noqa: S603


if __name__ == "__main__":
    main()
