"""From a SavedModel to an artifact: time and memory, both of this compiler and of the TensorFlow that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

MAKE = "import keras, sys; getattr(keras.applications, sys.argv[1])(weights=None).export(sys.argv[2], verbose=False)"
COMPILE = """
import sys, time
started = time.perf_counter()
import tesselle as ts
artifact = ts.compile(sys.argv[1], targets=["cpu"])
print("tesselle seconds", time.perf_counter() - started)
"""
GOAL_S = 15.0
GOAL_MB = 2048.0


def _resident_bytes(pid: int) -> int:
    """What a process and those that it started have in memory, shared pages in proportion to their sharers."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) << 10
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_resident_bytes(int(child)) for child in (task / "children").read_text().split())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It has ended in between.
        return total
    return total


def _measure(path: Path) -> tuple[float, float]:
    """Seconds and peak megabytes of an import and compilation in a fresh process, on every core."""
    cores = set(range(os.cpu_count() or 1))
    with subprocess.Popen(
        [sys.executable, "-c", COMPILE, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as process:
        peak = 0
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(0.02)
        assert process.stdout is not None
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    seconds = next(float(line.split()[-1]) for line in printed.splitlines() if line.startswith("tesselle seconds"))
    return seconds, peak / 2**20


@pytest.mark.parametrize("network", ["ResNet50", "MobileNetV2"])
def bench_import_and_compile(network: str, benchmark: Any, tmp_path: Path) -> None:
    """Keras networks for images of 224 x 224 and a dynamic batch, without the cache of compiled code."""
    path = tmp_path / network
    made = subprocess.run([sys.executable, "-c", MAKE, network, str(path)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"TensorFlow and Keras do not make the model: {made.stderr.strip().splitlines()[-1]}")
    found: list[tuple[float, float]] = []
    benchmark.pedantic(lambda: found.append(_measure(path)), rounds=1)
    seconds, megabytes = found[0]
    benchmark.extra_info |= {"import_and_compile_s": seconds, "peak_mb": megabytes}
    print(f"\n{network}: {seconds:.1f} s (goal {GOAL_S:g}), peak {megabytes:.0f} MB (goal {GOAL_MB:g})")
