"""A running call in the hands of whoever schedules it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from tesselle.runtime import _native

if TYPE_CHECKING:
    from tesselle.runtime.function import Function


class Status(enum.IntEnum):
    """Where a call stands."""

    READY = 0
    """Not begun."""
    YIELDED = 1
    """At a `yield` of the program."""
    WAITING = 2
    """At a fence that is not signalled yet, or before its turn: the call before it in its session has not ended."""
    PREEMPTED = 3
    """The steps that resume() allowed are used up."""
    DONE = 4


class Invocation:
    """A call that is data: made by `Function.begin`, driven by `resume`, on any thread, one at a time.

    call = program["main"].begin(x)
    while call.resume() is not Status.DONE: ...
    y = call.result()

    Where the program has variables it has its place among the calls of its session, which it gives up when it ends.
    """

    __slots__ = ("_function", "_native")

    def __init__(self, native: _native.Invocation, function: Function) -> None:
        self._native = native
        self._function = function

    @property
    def status(self) -> Status:
        return Status(self._native.status)

    def resume(self, steps: int = 1 << 62) -> Status:
        """Run until the call suspends or ends, at most `steps` jumps and calls. ExecutionError when it fails."""
        return Status(self._native.resume(steps))

    def wait(self, timeout_s: float = 1e9) -> bool:
        """Do, or wait for, the work that a WAITING call waits for; False after the timeout."""
        return self._native.wait(timeout_s)

    def abandon(self) -> None:
        """End a call that has not ended. So does letting go of it.

        Variables that it may have changed halfway leave its session unusable, as a failure does.
        """
        self._native.abandon()

    def result(self) -> Any:
        """What the call returned, once it is DONE: one array, or a tuple of several."""
        return self._function.results_of(self._native)
