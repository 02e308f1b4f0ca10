"""A call that fails halfway leaves its session unusable until all variables have new values."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from stateful_programs import stateful_program

import tesselle.runtime as rt
from tesselle.support.diagnostics import ExecutionError, InvocationError, SessionError

LIMIT_S = 60
GOOD = {"counter": 5, "weights": [1.0]}


def broken_session(name: str = "fail_midway", **options: Any) -> rt.Session:
    session = stateful_program(**options).new_session()
    assert session["increment"]() == 1
    with pytest.raises(ExecutionError, match=f"function '{name}': on purpose"):
        session[name]()
    return session


def test_everything_that_follows_says_why() -> None:
    session = broken_session()
    program_calls = (
        lambda: session["peek"](),
        lambda: session["increment"](),
        lambda: session["increment"].submit().result(LIMIT_S),
        lambda: session["increment"].begin().resume(),
        session.state_dict,
        lambda: session.save("nowhere"),
    )
    for attempt in program_calls:
        for _ in range(2):
            with pytest.raises(SessionError) as caught:
                attempt()
            text = str(caught.value)
            assert "function 'fail_midway': on purpose" in text and "reset() or load_state_dict()" in text
            assert len(text.splitlines()) == 1
    assert issubclass(SessionError, ExecutionError)


def test_the_first_error_stays() -> None:
    session = broken_session()
    with pytest.raises(SessionError):
        session["host"]()
    with pytest.raises(SessionError, match="'fail_midway': on purpose"):
        session["peek"]()


def test_reset_makes_it_usable() -> None:
    session = broken_session()
    session.reset()
    assert session["increment"]() == 1
    np.testing.assert_array_equal(session.state_dict()["weights"], [1, 2, 3])


def test_a_whole_state_makes_it_usable() -> None:
    session = broken_session()
    with pytest.raises(InvocationError, match="missing variable 'weights'"):
        session.load_state_dict({"counter": 1})
    session.load_state_dict({"counter": 1}, strict=False)
    with pytest.raises(SessionError):
        session["peek"]()
    session.load_state_dict(GOOD)
    assert session["peek"]() == 5


def test_other_sessions_are_not_concerned() -> None:
    program = stateful_program()
    first, second = program.new_session(), program.new_session()
    with pytest.raises(ExecutionError):
        first["fail_midway"]()
    assert second["increment"]() == 1 and program["increment"]() == 1


def test_submitted_calls() -> None:
    session = stateful_program().new_session()
    held = session["peek"].begin()
    futures = [session[name].submit() for name in ("increment", "fail_midway", "increment", "peek")]
    while held.resume() is not rt.Status.DONE:
        pass
    assert futures[0].result(LIMIT_S) == 1
    assert type(futures[1].exception(LIMIT_S)) is ExecutionError
    assert all(isinstance(f.exception(LIMIT_S), SessionError) for f in futures[2:])
    session.load_state_dict(GOOD)
    assert session["increment"].submit().result(LIMIT_S) == 6


def test_a_reset_that_waits_behind_the_failure() -> None:
    session = stateful_program().new_session()
    failing = session["fail_midway"].submit()
    session.reset()
    later = session["increment"].submit()
    assert isinstance(failing.exception(LIMIT_S), ExecutionError)
    assert later.result(LIMIT_S) == 1


def test_custom_calls_that_raise() -> None:
    def hook(call: Any, count: Any) -> None:
        raise ValueError("no more")

    session = stateful_program(hook=hook).new_session()
    with pytest.raises(ExecutionError, match="function 'host': custom call @hook failed: ValueError: no more"):
        session["host"]()
    with pytest.raises(SessionError, match="function 'host': custom call @hook failed: ValueError: no more"):
        session["peek"]()


def test_failures_before_anything_has_begun_do_no_harm() -> None:
    session = stateful_program().new_session()
    for _ in range(2):
        with pytest.raises(ExecutionError, match="before anything"):
            session["fail_at_once"]()
        with pytest.raises(InvocationError, match="expected dimension 0 to be 2, found 3"):
            session["same_size"](np.ones(2, np.float32), np.ones(3, np.float32))
        with pytest.raises(InvocationError):
            session["same_size"](1, 2, 3)
    assert session["increment"]() == 1


def test_functions_that_update_nothing_do_no_harm() -> None:
    session = stateful_program().new_session()
    with pytest.raises(ExecutionError, match="on purpose"):
        session["fail_reading"]()
    session["peek"]()


@pytest.mark.parametrize("how", ["dropped", "abandoned"])
def test_calls_that_are_given_up_halfway(how: str) -> None:
    session = stateful_program().new_session()
    call: Any = session["fail_midway"].begin()
    assert call.resume() is rt.Status.YIELDED
    assert call.resume() is rt.Status.WAITING
    if how == "abandoned":
        call.abandon()
    del call
    gc.collect()
    with pytest.raises(SessionError, match=f"function 'fail_midway': the call was {how}"):
        session["peek"]()


@pytest.mark.parametrize("steps", [0, 1])
def test_calls_that_are_given_up_before_they_change_anything(steps: int) -> None:
    session = stateful_program().new_session()
    call: Any = session["increment"].begin()
    for _ in range(steps):
        assert call.resume() is rt.Status.YIELDED
    del call
    gc.collect()
    assert session["increment"]() == 1


def test_a_step_limit() -> None:
    """What a runaway call did before it was stopped counts as a failure halfway."""
    from stateful_programs import count_up, function, stateful_artifact

    def endless(b: Any) -> Any:
        view = count_up(b)
        b.emit("br", "loop")
        b.label("loop")
        (one,) = b.emit("const.i32", 1)
        b.emit("cond_br", one, "loop", "exit")
        b.label("exit")
        return (view,)

    artifact = stateful_artifact(function("endless", endless))
    session = rt.load(artifact, step_limit=1000, custom_calls={"hook": lambda call, count: None}).session
    with pytest.raises(ExecutionError, match="took more than 1000 steps"):
        session["endless"]()
    with pytest.raises(SessionError, match="function 'endless': took more than 1000 steps"):
        session["peek"]()
