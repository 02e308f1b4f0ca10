"""FMA peak and read bandwidth of one core, measured by a small C program that is built when it is asked for."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("machine_limits.c")


def measure_limits() -> tuple[float, float]:
    """GFLOP/s of fused multiply-adds on registers, and GB/s of reading 64 MiB in order; the best of several tries."""
    compiler = next((c for name in ("cc", "gcc", "clang") if (c := shutil.which(name))), None)
    if compiler is None:
        raise RuntimeError("no C compiler (cc, gcc or clang) to measure the machine with")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "machine_limits.so"
        flags = ["-O3", "-march=native", "-ffp-contract=fast", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run([compiler, *flags, str(SOURCE), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))
        loaded.fma_rounds.restype = ctypes.c_double
        loaded.fma_rounds.argtypes = [ctypes.c_long, ctypes.POINTER(ctypes.c_float)]
        loaded.read_all.restype = ctypes.c_float
        loaded.read_all.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        sink = ctypes.c_float()
        gflops = 0.0
        for _ in range(8):
            started = time.perf_counter()
            operations = loaded.fma_rounds(2_000_000, ctypes.byref(sink))
            gflops = max(gflops, operations / (time.perf_counter() - started) / 1e9)
        data = np.ones(16 * 1024 * 1024, np.float32)
        gbytes = 0.0
        for _ in range(5):
            started = time.perf_counter()
            loaded.read_all(data.ctypes.data, data.size)
            gbytes = max(gbytes, data.nbytes / (time.perf_counter() - started) / 1e9)
    return gflops, gbytes


if __name__ == "__main__":
    peak, bandwidth = measure_limits()
    print(f"FMA peak, one thread: {peak:.1f} GFLOP/s\nread bandwidth, one thread: {bandwidth:.1f} GB/s")
