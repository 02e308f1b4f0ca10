"""Calls of one session of a program with variables take effect one after another; nothing gets stuck."""

from __future__ import annotations

import concurrent.futures
import gc
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stateful_programs import stateful_program

import tesselle.runtime as rt
from tesselle.support.diagnostics import ExecutionError, InvocationError
from tesselle.support.dtypes import F32
from vm_programs import ADD, ADD_IMAGE, elementwise_function, make_program

ROOT = Path(__file__).parents[2]
"""Where the scripts below run."""
LIMIT_S = 60


@pytest.mark.parametrize("device", ["cpu:threads=1", "cpu:threads=2"])
@pytest.mark.parametrize("name", ["increment", "replace"])
def test_a_thousand_calls_from_four_threads(device: str, name: str) -> None:
    """No count is lost, none is given twice, and the calls of one thread come in its order."""
    session = stateful_program(device=device).new_session()
    results: list[list[int]] = [[] for _ in range(4)]

    def work(mine: list[int]) -> None:
        futures = [session[name].submit() for _ in range(250)]
        mine.extend(int(f.result(LIMIT_S)) for f in futures)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert all(mine == sorted(mine) for mine in results)
    assert sorted(x for mine in results for x in mine) == list(range(1, 1001))
    assert session["peek"]() == 1000


def test_calls_and_submissions_from_many_threads() -> None:
    session = stateful_program(device="cpu:threads=2").new_session()
    results: list[int] = []

    def work(seed: int) -> None:
        for i in range(60):
            if (i + seed) % 3 == 0:
                results.append(int(session["replace"].submit().result(LIMIT_S)))
            elif (i + seed) % 3 == 1:
                results.append(int(session["increment"]()))
            else:
                state = session.state_dict()
                assert state["counter"].shape == ()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive()
    assert sorted(results) == list(range(1, 241))


def test_state_is_read_and_replaced_between_calls() -> None:
    session = stateful_program().new_session()
    before = [session["increment"].submit() for _ in range(50)]
    read = session.state_dict()
    middle = [session["increment"].submit() for _ in range(50)]
    session.load_state_dict({"counter": 1000, "weights": [1.0]})
    after = [session["increment"].submit() for _ in range(50)]
    session.reset()
    last = [session["increment"].submit() for _ in range(5)]
    counts = [[int(f.result(LIMIT_S)) for f in calls] for calls in (before, middle, after, last)]
    expected = [range(1, 51), range(51, 101), range(1001, 1051), range(1, 6)]
    assert counts == [list(r) for r in expected]
    assert read["counter"] == 50


def test_order_is_that_of_begin() -> None:
    """Calls that a scheduler drives: a later one waits, whoever resumes it first."""
    session = stateful_program().new_session()
    calls = [session["increment"].begin() for _ in range(3)]
    assert all(call.status is rt.Status.READY for call in calls)
    assert calls[2].resume() is rt.Status.WAITING
    assert calls[1].resume() is rt.Status.WAITING
    assert not calls[1].wait(0.01)
    assert calls[1].resume() is rt.Status.WAITING
    finish(calls[0])
    assert calls[2].resume() is rt.Status.WAITING
    assert calls[1].wait(LIMIT_S)
    finish(calls[1])
    finish(calls[2])
    assert [int(call.result()) for call in calls] == [1, 2, 3]


def finish(call: rt.Invocation) -> None:
    while (status := call.resume()) is not rt.Status.DONE:
        if status is rt.Status.WAITING:
            assert call.wait(LIMIT_S)


def test_calls_without_variables_do_not_wait() -> None:
    function, record = elementwise_function("main", F32, yields=1)
    program = make_program([function], [record], images=[(ADD_IMAGE, [ADD])])
    x = np.ones(3, np.float32)
    calls = [program["main"].begin(x, x) for _ in range(2)]
    assert calls[0].resume() is rt.Status.YIELDED
    finish(calls[1])
    np.testing.assert_array_equal(program["main"](x, x), x + x)
    finish(calls[0])


def test_sessions_do_not_wait_for_each_other() -> None:
    program = stateful_program()
    first, second = program.new_session(), program.new_session()
    held = first["increment"].begin()
    assert held.resume() is rt.Status.YIELDED
    assert second["increment"]() == 1
    finish(held)


@pytest.mark.parametrize("begun", [False, True])
def test_dropped_calls_make_way(begun: bool) -> None:
    session = stateful_program().new_session()
    call: Any = session["peek"].begin()
    later = session["increment"].submit()
    if begun:
        call.resume()
    del call
    gc.collect()
    assert later.result(LIMIT_S) == 1


def test_calls_dropped_before_their_turn_make_way() -> None:
    session = stateful_program().new_session()
    first = session["increment"].begin()
    dropped = [session["increment"].begin() for _ in range(3)]
    last = session["increment"].submit()
    assert dropped[1].resume() is rt.Status.WAITING
    del dropped[1], dropped[1], dropped[0]
    with pytest.raises(concurrent.futures.TimeoutError):
        last.result(0.02)
    finish(first)
    assert last.result(LIMIT_S) == 2


def test_calls_dropped_by_the_garbage_collector_make_way() -> None:
    session = stateful_program().new_session()
    cycle: list[Any] = [session["increment"].begin()]
    cycle.append(cycle)
    later = [session["increment"].submit() for _ in range(20)]
    del cycle
    gc.collect()
    assert [int(f.result(LIMIT_S)) for f in later] == list(range(1, 21))


def test_abandoned_calls_make_way() -> None:
    session = stateful_program().new_session()
    call = session["increment"].begin()
    later = session["increment"].submit()
    call.abandon()
    assert call.status is rt.Status.DONE
    assert later.result(LIMIT_S) == 1
    with pytest.raises(ExecutionError, match="has ended"):
        call.resume()
    call.abandon()


def test_futures_that_nobody_holds_run_all_the_same() -> None:
    session = stateful_program().new_session()
    for _ in range(100):
        session["increment"].submit()
    assert session["peek"]() == 100


def test_cancelled_futures_make_way() -> None:
    session = stateful_program().new_session()
    held = session["increment"].begin()
    futures = [session["increment"].submit() for _ in range(10)]
    cancelled = [f.cancel() for f in futures[::2]]
    finish(held)
    assert all(cancelled)
    assert [int(f.result(LIMIT_S)) for f in futures[1::2]] == [2, 3, 4, 5, 6]
    assert session["peek"]() == 6


def test_wrong_arguments_have_no_place() -> None:
    session = stateful_program().new_session()
    with pytest.raises(InvocationError):
        session["assign"](np.zeros((2, 2), np.float32))
    with pytest.raises(InvocationError):
        session["assign"].submit("text")
    with pytest.raises(InvocationError):
        session["increment"](1)
    assert session["increment"]() == 1


def test_failing_calls_make_way() -> None:
    session = stateful_program().new_session()
    futures = [session["fail_at_once" if i % 2 else "increment"].submit() for i in range(20)]
    assert [f.exception(LIMIT_S) is None for f in futures] == [i % 2 == 0 for i in range(20)]
    assert session["peek"]() == 10


def test_waiting_calls_hold_no_thread() -> None:
    """Far more calls than threads wait in one session; those of another go on."""
    program = stateful_program()
    first, second = program.new_session(), program.new_session()
    held = first["increment"].begin()
    waiting = [first["increment"].submit() for _ in range(200)]
    assert second["increment"].submit().result(LIMIT_S) == 1
    assert not any(f.done() for f in waiting)
    finish(held)
    assert [int(f.result(LIMIT_S)) for f in waiting] == list(range(2, 202))


def test_a_custom_call_may_not_wait_for_its_own_session() -> None:
    found: list[str] = []

    def hook(call: Any, count: Any) -> None:
        for attempt in (session["peek"], session.state_dict, session.reset):
            with pytest.raises(InvocationError, match="may not call the session that calls it") as caught:
                attempt()
            found.append(str(caught.value))
        later.append(session["increment"].submit())
        assert other["increment"]() == 1

    program = stateful_program(hook=hook)
    session, other = program.new_session(), program.new_session()
    later: list[rt.Future] = []
    assert session["host"]() == 1
    assert len(found) == 3 and "function 'host'" in found[0]
    assert later[0].result(LIMIT_S) == 2


def test_a_custom_call_may_not_wait_for_its_own_session_in_a_roundabout_way() -> None:
    def hook(call: Any, count: Any) -> None:
        if count == 1:
            other["host"]()
        else:
            session["peek"]()

    program = stateful_program(hook=hook)
    session, other = program.new_session(), program.new_session()
    other.load_state_dict({"counter": 1, "weights": [1.0]})
    with pytest.raises(ExecutionError, match="may not call the session that calls it"):
        session["host"]()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the parent ignores it: `nohup make test &`."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_a_call_waits_for_its_turn() -> None:
    session = stateful_program().new_session()
    held = session["increment"].begin()
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    for attempt in (session["increment"], session.state_dict, session.reset):
        timer = threading.Timer(0.1, signal.pthread_kill, (main_thread, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            attempt()
        timer.join()
    finish(held)
    # The interrupted call had not begun: the session is as good as before.
    assert session["increment"]() == 2


def test_an_interrupt_in_a_custom_call() -> None:
    def hook(call: Any, count: Any) -> None:
        raise KeyboardInterrupt

    session = stateful_program(hook=hook).new_session()
    with pytest.raises(KeyboardInterrupt):
        session["host"]()
    with pytest.raises(ExecutionError, match="function 'host': KeyboardInterrupt"):
        session["peek"]()
    session.reset()
    assert session["increment"]() == 1


def test_work_that_a_call_leaves_behind_ends_before_the_next_call_begins() -> None:
    session = stateful_program(device="cpu:threads=2").new_session()
    for i in range(1, 201):
        assert session["count_behind"]() == ()
        assert session["peek"]() == i


def test_asynchronous_calls_of_many_sessions() -> None:
    program = stateful_program(device="cpu:threads=2")
    sessions = [program.new_session() for _ in range(8)]
    futures = [(i, s["increment"].submit()) for i in range(50) for s in sessions]
    assert all(f.result(LIMIT_S) == i + 1 for i, f in futures)


ENDING = """
import os, sys, threading
sys.path.insert(0, "tests/support")
from stateful_programs import stateful_program
seen = []
def hook(call, count):
    seen.append(int(count))
    os.write(1, f"{int(count)} ".encode())
program = stateful_program(hook=hook)
session = program.new_session()
other = program.new_session()
for _ in range(300):
    session["host"].submit()
# A call that never begins holds up those after it: they are left.
held = other["increment"].begin()
other["host"].submit()
"""


def test_the_process_ends_after_what_was_submitted() -> None:
    process = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=LIMIT_S, cwd=ROOT, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.split() == [str(i) for i in range(1, 301)]


FORKING = """
import os, sys
sys.path.insert(0, "tests/support")
from stateful_programs import stateful_program
session = stateful_program(device="cpu:threads=2").new_session()
assert session["increment"].submit().result(30) == 1
child = os.fork()
assert session["increment"].submit().result(30) == 2
assert session["increment"]() == 3
if child == 0:
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_process_has_sessions_of_its_own() -> None:
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKING],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=ROOT,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


def test_threads_that_wait_are_woken() -> None:
    """A call that waits for its turn begins when the one before it has ended, not at some later look."""
    session = stateful_program().new_session()
    held = session["increment"].begin()
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(int(session["increment"]()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    finish(held)
    for thread in threads:
        thread.join(LIMIT_S)
    assert sorted(counts) == [2, 3, 4, 5]
