"""Shared parts of the benchmarks: peers timed side by side, and what this machine could do at best.

Every benchmark measures Tesselle and its peers in one run, taking turns, so that a machine that grows slower or faster
in between does so for all of them; what is reported beside the times is the ratio. All run on one core, which this
process keeps to: the libraries size their pools by it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

# Before NumPy is imported, whose BLAS starts a thread for every core that it sees.
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np  # noqa: E402  # see above
import pytest  # noqa: E402  # as above

from tesselle.runtime import MachineLimits, measure_machine_limits  # noqa: E402  # as above

Call = Callable[[], object]


@pytest.fixture(scope="session")
def limits() -> MachineLimits:
    """FMA peak and read bandwidth of one thread, measured now."""
    return measure_machine_limits(threads=1)


@pytest.fixture
def beside_peers(benchmark: Any) -> Callable[[Call, Mapping[str, Call]], dict[str, float]]:
    """`beside_peers(call, {"jax": …})` times `call` as the benchmark and every peer between its rounds.

    Returns median seconds by name ("tesselle" is `call`). The ratio peer / Tesselle (above 1: Tesselle is faster) is
    kept with the benchmark as `speedup_over_PEER`.
    """

    def measure(call: Call, peers: Mapping[str, Call], rounds: int = 15) -> dict[str, float]:
        for warm_up in (call, *peers.values()):
            warm_up()
        times: dict[str, list[float]] = {name: [] for name in peers}

        def peers_turn() -> None:
            for name, peer in peers.items():
                started = time.perf_counter()
                peer()
                times[name].append(time.perf_counter() - started)

        benchmark.pedantic(call, setup=peers_turn, rounds=rounds, warmup_rounds=1)
        medians = {name: float(np.median(t)) for name, t in times.items()}
        # Without --benchmark-only's statistics (disabled benchmarks) there is nothing to compare with.
        if benchmark.stats is not None:
            medians["tesselle"] = float(benchmark.stats.stats.median)
            for name in peers:
                benchmark.extra_info[f"speedup_over_{name}"] = round(medians[name] / medians["tesselle"], 3)
        return medians

    return measure


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """A line per benchmark with its ratios."""
    session = getattr(config, "_benchmarksession", None)
    rows = [b for b in getattr(session, "benchmarks", ()) if b.extra_info]
    if not rows:
        return
    terminalreporter.section("beside peers, and beside what the machine could do")
    for b in rows:
        facts = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in b.extra_info.items())
        terminalreporter.write_line(f"{b.name}: {facts}")
