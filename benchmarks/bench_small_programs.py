"""How many small programs compile in a second of processor time, beside JAX on the same programs.

Processor time of this process and its children, not time on the clock: it does not depend on what else runs, and says
what two cores get through that each serve one of two shards. Both compilers start from lowered StableHLO, without
caches.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import jax

import tesselle as ts
from small_programs import SMALL_PROGRAMS

OPTIONS = ts.CompileOptions(jobs=1)
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def processor_seconds() -> float:
    """User and system time of this process, all its threads, and its living and waited-for children."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    for child in (c for file in children for c in file.read_text().split()):
        fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return total


def bench_small_programs(benchmark: Any) -> None:
    jax.config.update("jax_enable_compilation_cache", False)
    texts = [p.lower().as_text() for p in SMALL_PROGRAMS]

    def compile_all() -> None:
        for text in texts:
            ts.load(ts.compile(text, options=OPTIONS))

    spent: dict[str, list[float]] = {"tesselle": [], "jax": []}

    def timed_round() -> None:
        started = processor_seconds()
        compile_all()
        spent["tesselle"].append(processor_seconds() - started)

    def jax_turn() -> None:
        jax.clear_caches()
        lowered = [p.lower() for p in SMALL_PROGRAMS]
        started = processor_seconds()
        for program in lowered:
            program.compile()
        spent["jax"].append(processor_seconds() - started)

    compile_all()
    benchmark.pedantic(timed_round, setup=jax_turn, rounds=3, warmup_rounds=1)
    for name, seconds in spent.items():
        best = min(seconds[1:]) / len(texts)
        benchmark.extra_info[f"ms_cpu_per_program_{name}"] = round(best * 1e3, 1)
    benchmark.extra_info["programs_per_s_on_two_cores"] = round(2 * len(texts) / min(spent["tesselle"][1:]), 1)
