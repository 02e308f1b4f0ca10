"""Many threads on one program, and thousands of calls without growth. (Longer soaks: tests/models/test_soak.py.)"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from stateful_programs import stateful_program

import tesselle.runtime as rt
from tesselle.artifact.vm_isa import RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmGlobal
from tesselle.support.diagnostics import ExecutionError
from tesselle.support.dtypes import F32
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_program, raw_call

ROOT = Path(__file__).parents[2]
"""Where the scripts below run."""


@pytest.fixture(params=["cpu:threads=1", "cpu:threads=2", "cpu:threads=4,pin=0"])
def program(request: pytest.FixtureRequest) -> rt.Program:
    function, record = elementwise_function("main", F32, yields=1, barriers=2)
    return make_program([function], [record], images=[(ADD_IMAGE, [ADD])], device=request.param)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_four_threads(program: rt.Program) -> None:
    """Calls of every size, direct and submitted, from four threads: only right results."""
    failures: list[str] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for i in range(300):
                n = int(rng.integers(0, 50_000 if i % 10 == 0 else 300))
                x = rng.standard_normal(n).astype(np.float32)
                y = program["main"].submit(x, x).result(60) if i % 3 == 0 else program["main"](x, x)
                if not np.array_equal(y, x + x):
                    failures.append(f"thread {seed}, call {i}, {n} elements")
        except Exception as error:
            failures.append(f"thread {seed}: {error!r}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failures


def test_memory_does_not_grow(program: rt.Program) -> None:
    x = np.ones(10_000, np.float32)
    call = program["main"]

    def several(count: int) -> None:
        for i in range(count):
            call(x, x)
            if i % 10 == 0:
                call.submit(x, x).result()

    several(500)
    gc.collect()
    before = resident_bytes()
    several(3000)
    gc.collect()
    # One leaked result a call would be 120 MB, one leaked frame half a megabyte.
    assert resident_bytes() - before < 1 << 20


def test_memory_does_not_grow_in_a_session_with_variables() -> None:
    session = stateful_program().new_session()

    def several(count: int) -> None:
        for _ in range(count):
            session["increment"]()
            session["replace"].submit().result(60)
            session["increment"].begin()
            session.state_dict()

    several(200)
    gc.collect()
    before = resident_bytes()
    several(1500)
    gc.collect()
    assert resident_bytes() - before < 1 << 20


def test_failing_calls_do_not_grow() -> None:
    b = FunctionBuilder("main", argument_types=["i64"])
    (buffer,) = b.emit("hal.buffer.allocate", 0)
    (commands,) = b.emit("hal.command_buffer.create", 1)
    b.emit("hal.command_buffer.fill", commands, 0, 0, 0, 0, 8)  # at offset `size`
    b.emit("hal.command_buffer.finalize", commands)
    (fence,) = b.emit("hal.fence.create")
    (null,) = b.emit("const.ref.null")
    b.emit("hal.queue.execute", commands, null, fence, (buffer,))
    b.emit("fail", "on purpose")
    session = make_program([b.finish()]).new_session()

    def several(count: int) -> None:
        for _ in range(count):
            with pytest.raises(ExecutionError, match="outside its buffer"):
                raw_call(session, "main", 4096)

    several(300)
    gc.collect()
    before = resident_bytes()
    several(2000)
    gc.collect()
    assert resident_bytes() - before < 1 << 20


def test_sessions_share_one_program_from_many_threads() -> None:
    """Each access to a variable is atomic: references that are replaced all the time never break."""
    b = FunctionBuilder("churn", argument_types=["i64"], result_types=["i64"])
    (size,) = b.arguments
    (one,) = b.emit("const.i64", 1)
    i = b.register("i64")
    old = b.register("ref")
    length = b.register("i64")
    b.emit("hal.buffer.allocate", size, results=[old])
    b.label("loop")
    (done,) = b.emit("cmp.le_s.i64", size, i)
    b.emit("cond_br", done, "exit", "body")
    b.label("body")
    (new,) = b.emit("hal.buffer.allocate", size)
    b.emit("global.store.ref", "shared", new)
    b.emit("global.load.ref", "shared", results=[old])
    b.emit("hal.buffer.length", old, results=[length])
    b.emit("add.i64", i, one, results=[i])
    b.emit("br", "loop")
    b.label("exit")
    b.emit("return", (length,))
    session = make_program([b.finish()], variables=[VmGlobal("shared", RegisterType.REF)]).new_session()
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: results.extend(raw_call(session, "churn", n))) for n in (500, 600, 700, 800)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and set(results) <= {500, 600, 700, 800}


FORKED = """
import os, sys
sys.path.insert(0, "tests/support")
import numpy as np
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_program
from tesselle.support.dtypes import F32
function, record = elementwise_function("main", F32)
program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])], device=sys.argv[1])
x = np.ones(100_000, np.float32)
assert np.array_equal(program["main"](x, x), x + x)
assert np.array_equal(program["main"].submit(x, x).result(), x + x)
child = os.fork()
assert np.array_equal(program["main"](x, x), x + x)
assert np.array_equal(program["main"].submit(x, x).result(30), x + x)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.parametrize("device", ["cpu:threads=1", "cpu:threads=2"])
def test_a_fork_can_go_on(device: str) -> None:
    """A child has no workers: calls run on its own threads, and it ends in order."""
    process = subprocess.run(
        [sys.executable, "-c", FORKED, device], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert process.returncode == 0, process.stderr
