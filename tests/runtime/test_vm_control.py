"""Control flow, suspension and resumption, limits, and failures of the VM."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import tesselle.runtime as rt
from tesselle.artifact.schema import FunctionRecord
from tesselle.artifact.vm_isa import RegisterType
from tesselle.artifact.vm_module import FunctionBuilder, VmFunction, VmGlobal
from tesselle.runtime import _native
from tesselle.support.diagnostics import ExecutionError
from tesselle.support.dtypes import F32
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_artifact, make_program, raw_begin, raw_call

ROOT = Path(__file__).parents[2]
"""Where the scripts below run."""


def sum_to_n(*, yields: bool = False) -> VmFunction:
    """sum of 1 … n, in a loop that may suspend at every round."""
    b = FunctionBuilder("sum", argument_types=["i64"], result_types=["i64"])
    (n,) = b.arguments
    (one,) = b.emit("const.i64", 1)
    i, total = b.register("i64"), b.register("i64")
    b.label("loop")
    (done,) = b.emit("cmp.le_s.i64", n, i)
    b.emit("cond_br", done, "exit", "body")
    b.label("body")
    if yields:
        b.emit("yield")
    b.emit("add.i64", i, one, results=[i])
    b.emit("add.i64", total, i, results=[total])
    b.emit("br", "loop")
    b.label("exit")
    b.emit("return", (total,))
    return b.finish()


def fibonacci() -> VmFunction:
    b = FunctionBuilder("fib", argument_types=["i64"], result_types=["i64"])
    (n,) = b.arguments
    one, two = (b.emit("const.i64", v)[0] for v in (1, 2))
    (small,) = b.emit("cmp.le_s.i64", n, one)
    b.emit("cond_br", small, "leaf", "inner")
    b.label("leaf")
    b.emit("return", (n,))
    b.label("inner")
    parts: list[int] = []
    for k in (one, two):
        (m,) = b.emit("sub.i64", n, k)
        parts += b.emit("call", "fib", (m,), results=[b.register("i64")])
    b.emit("return", b.emit("add.i64", *parts))
    return b.finish()


def endless() -> VmFunction:
    b = FunctionBuilder("endless")
    b.label("loop")
    b.emit("br", "loop")
    return b.finish()


def endless_recursion() -> VmFunction:
    b = FunctionBuilder("deep")
    for _ in range(50):
        b.register("i64")
    b.emit("call", "deep", (), results=[])
    b.emit("return", ())
    return b.finish()


def test_loops_and_calls() -> None:
    program = make_program([sum_to_n(), fibonacci()])
    assert raw_call(program, "sum", 100_000) == [5_000_050_000]
    assert raw_call(program, "fib", 15) == [610]


def test_several_results_and_repeated_registers() -> None:
    b = FunctionBuilder("swap", argument_types=["i64", "ref"], result_types=["ref", "i64", "ref"], exported=False)
    b.emit("return", (1, 0, 1))
    c = FunctionBuilder("main", argument_types=["ref"], result_types=["i64", "ref"])
    (k,) = c.emit("const.i64", 9)
    r = c.register("ref")
    i = c.register("i64")
    c.emit("call", "swap", (k, 0), results=[r, i, r])
    c.emit("return", (i, r))
    program = make_program([b.finish(), c.finish()])
    buffer = program.device.allocate(3).native  # type: ignore[attr-defined]  # the CPU's
    number, reference = raw_call(program, "main", buffer)
    assert number == 9 and reference.address == buffer.address


def test_failures_carry_message_and_function() -> None:
    b = FunctionBuilder("checked", argument_types=["i32"])
    b.emit("cond_fail", 0, "that was wrong")
    b.emit("return", ())
    c = FunctionBuilder("outer")
    (one,) = c.emit("const.i32", 1)
    c.emit("call", "checked", (one,), results=[])
    c.emit("fail", "never reached")
    program = make_program([b.finish(), c.finish()])
    assert raw_call(program, "checked", 0) == []
    with pytest.raises(ExecutionError, match="function 'checked': that was wrong"):
        raw_call(program, "checked", 1)
    with pytest.raises(ExecutionError, match="function 'outer', in 'checked': that was wrong"):
        raw_call(program, "outer")


def test_a_failed_call_cannot_be_resumed() -> None:
    b = FunctionBuilder("f")
    b.emit("fail", "no")
    call = raw_begin(make_program([b.finish()]), "f")
    with pytest.raises(ExecutionError, match="no"):
        call.resume(100)
    with pytest.raises(ExecutionError, match="has ended"):
        call.resume(100)


def test_recursion_has_a_limit() -> None:
    with pytest.raises(ExecutionError, match="calls nest too deeply"):
        raw_call(make_program([endless_recursion()]), "deep")


def test_step_limit() -> None:
    functions = [endless(), sum_to_n()]
    program = rt.load(make_artifact(functions), step_limit=10_000)
    assert raw_call(program, "sum", 1000) == [500_500]
    with pytest.raises(ExecutionError, match="took more than 10000 steps"):
        raw_call(program, "endless")


def test_preemption_and_resumption() -> None:
    call = raw_begin(make_program([sum_to_n()]), "sum", 10_000)
    rounds = 0
    while rt.Status(call.resume(100)) is rt.Status.PREEMPTED:
        rounds += 1
    assert rounds > 100
    assert call.raw_results() == [50_005_000]


def test_suspended_at_a_yield_resumed_on_another_thread() -> None:
    call = raw_begin(make_program([sum_to_n(yields=True)]), "sum", 3)
    seen: list[tuple[int, rt.Status]] = []

    def resume() -> None:
        seen.append((threading.get_ident(), rt.Status(call.resume(1000))))

    for _ in range(4):
        thread = threading.Thread(target=resume)
        thread.start()
        thread.join()
    assert [status for _, status in seen] == [rt.Status.YIELDED] * 3 + [rt.Status.DONE]
    assert call.raw_results() == [6]


def test_thousands_suspended_at_once() -> None:
    """Every call stops at each round; four threads resume whatever is suspended until all have ended."""
    count = 5000
    session = make_program([sum_to_n(yields=True)]).new_session()
    calls = [raw_begin(session, "sum", n % 10) for n in range(count)]
    statuses = [rt.Status(c.resume(1000)) for c in calls]
    assert statuses.count(rt.Status.YIELDED) == count * 9 // 10
    waiting = [c for c, s in zip(calls, statuses, strict=True) if s is not rt.Status.DONE]
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                call = waiting.pop()
            if rt.Status(call.resume(1000)) is not rt.Status.DONE:
                with lock:
                    waiting.insert(0, call)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [c.raw_results() for c in calls] == [[n % 10 * (n % 10 + 1) // 2] for n in range(count)]


def test_suspended_dispatches() -> None:
    """Arguments and buffers of suspended calls stay alive; kernels run after any number of resumptions."""
    function, record = elementwise_function("main", F32, yields=3)
    program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])], device="cpu:threads=2")
    calls = [program["main"].begin(np.full(100, i, np.float32), np.ones(100, np.float32)) for i in range(1000)]
    for _ in range(3):
        assert {c.resume() for c in calls} == {rt.Status.YIELDED}
    for i, call in enumerate(calls):
        assert call.resume() is rt.Status.WAITING
        assert call.wait(10)
        assert call.resume() is rt.Status.DONE
        np.testing.assert_array_equal(call.result(), np.full(100, i + 1, np.float32))


def waits_for_fence() -> VmFunction:
    b = FunctionBuilder("waits", argument_types=["ref"], result_types=["i64"])
    b.emit("hal.fence.await", 0)
    b.emit("return", b.emit("const.i64", 7))
    return b.finish()


def test_suspended_at_a_fence() -> None:
    program = make_program([waits_for_fence()])
    fence = _native.Semaphore(0)
    call = raw_begin(program, "waits", fence)
    assert rt.Status(call.resume(10)) is rt.Status.WAITING
    assert not call.wait(0.01)
    assert rt.Status(call.resume(10)) is rt.Status.WAITING
    fence.signal(1)
    assert call.wait(10)
    assert rt.Status(call.resume(10)) is rt.Status.DONE
    assert call.raw_results() == [7]


def test_a_failed_fence_fails_the_call() -> None:
    fence = _native.Semaphore(0)
    call = raw_begin(make_program([waits_for_fence()]), "waits", fence)
    assert rt.Status(call.resume(10)) is rt.Status.WAITING
    fence.fail("the other side broke")
    assert call.wait(10)
    with pytest.raises(ExecutionError, match="function 'waits': the other side broke"):
        call.resume(10)


def test_a_call_is_resumed_by_one_thread_at_a_time() -> None:
    call = raw_begin(make_program([endless()]), "endless")
    thread = threading.Thread(target=lambda: call.resume(30_000_000))
    thread.start()
    refused = 0
    while thread.is_alive():
        try:
            call.resume(1)
        except ExecutionError as error:
            refused += "being resumed by another thread" in str(error)
        time.sleep(0.001)
    thread.join()
    assert refused > 0


def test_initializer_and_sessions() -> None:
    init = FunctionBuilder("init")
    (c,) = init.emit("const.i64", 41)
    init.emit("global.store.i64", "counter", c)
    init.emit("return", ())
    b = FunctionBuilder("next", result_types=["i64"])
    (one,) = b.emit("const.i64", 1)
    (before,) = b.emit("global.load.i64", "counter")
    (after,) = b.emit("add.i64", before, one)
    b.emit("global.store.i64", "counter", after)
    b.emit("return", (after,))
    variables = [VmGlobal("counter", RegisterType.I64)]
    program = make_program([init.finish(), b.finish()], variables=variables, initializer="init")
    first, second = program.new_session(), program.new_session()
    assert [raw_call(first, "next")[0] for _ in range(3)] == [42, 43, 44]
    assert raw_call(second, "next") == [42]


INTERRUPTED = """
import os, signal, threading, time
import sys
sys.path.insert(0, "tests/support")
from vm_programs import make_program
from tesselle.artifact.schema import FunctionRecord
from tesselle.artifact.vm_module import FunctionBuilder
b = FunctionBuilder("main")
b.label("loop")
b.emit("br", "loop")
program = make_program([b.finish()], [FunctionRecord("main", (), (), "main")])
signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent may ignore it: `nohup make test &`
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    program["main"]()
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_endless_program_can_be_interrupted() -> None:
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED)], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert process.stdout == "interrupted\n", process.stderr
    assert process.returncode in (0, -signal.SIGINT)


def test_no_results_is_an_empty_tuple() -> None:
    b = FunctionBuilder("main")
    b.emit("return", ())
    program = make_program([b.finish()], [FunctionRecord("main", (), (), "main")])
    assert program["main"]() == ()
