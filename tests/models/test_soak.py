"""One program under load: several Python threads at once, and thousands of calls without growth.

`pytest tests/models/test_soak.py --soak-seconds 60` is the real soak; the default keeps the suite short.
"""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tesselle as ts

Array = Any
STEPS = 7


def network(x: Array, h: Array) -> tuple[Array, Array]:
    """Matrix products, a softmax, a loop that the VM runs, a reduction: a little of everything."""
    w = np.random.default_rng(1).normal(size=(48, 48)).astype(np.float32) * np.float32(0.2)

    def step(state: Array, row: Array) -> tuple[Array, Array]:
        state = jnp.tanh(state @ w + row)
        return state, state

    h, ys = jax.lax.scan(step, h, jax.nn.softmax(x @ w, -1))
    return ys, h.sum(-1)


@pytest.fixture(scope="module", params=["cpu:threads=1", "cpu:threads=2"])
def program(request: pytest.FixtureRequest) -> ts.Program:
    example = np.zeros((STEPS, 3, 48), np.float32), np.zeros((3, 48), np.float32)
    return ts.load(ts.compile(jax.jit(network).lower(*example), targets=["cpu"]), device=request.param)


def inputs(seed: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(STEPS, 3, 48)).astype(np.float32), rng.normal(size=(3, 48)).astype(np.float32)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_four_threads_get_right_results(program: ts.Program, soak_seconds: float) -> None:
    cases = [inputs(seed) for seed in range(8)]
    expected = [[np.asarray(r) for r in jax.jit(network)(*case)] for case in cases]
    call = program["main"]
    failures: list[str] = []
    calls = [0] * 4
    end = time.monotonic() + soak_seconds

    def work(worker: int) -> None:
        i = worker
        try:
            while time.monotonic() < end and not failures:
                case = i % len(cases)
                results = call.submit(*cases[case]).result() if i % 3 == 0 else call(*cases[case])
                for have, want in zip(results, expected[case], strict=True):
                    if not np.allclose(have, want, rtol=0, atol=2e-5):
                        failures.append(f"call {i}: off by {np.abs(have - want).max()}")
                i += 1
                calls[worker] += 1
        except Exception as error:
            failures.append(f"call {i}: {error!r}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=soak_seconds + 60)
        assert not thread.is_alive(), "a call never came back"
    assert not failures
    assert min(calls) > 0
    print(f"\n{program}: {sum(calls)} right calls from 4 threads in {soak_seconds:.0f} s")


def test_ten_thousand_calls_do_not_grow(program: ts.Program) -> None:
    call, case = program["main"], inputs(0)
    for _ in range(500):
        call(*case)
    gc.collect()
    before = resident_bytes()
    for _ in range(10_000):
        call(*case)
    gc.collect()
    grown = resident_bytes() - before
    print(f"\n{program}: {grown / 1024:.0f} KiB more after 10,000 calls")
    # A leak of one result (4 KB) per call would be 40 MB; the allocator's own noise is below one.
    assert grown < 2 << 20
