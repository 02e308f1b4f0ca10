"""Functions of a program, bound to a session."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import numpy as np

from tesselle.artifact.schema import FunctionRecord
from tesselle.artifact.vm_isa import DTYPES_BY_CODE
from tesselle.runtime import _native
from tesselle.runtime.arguments import ArgumentConverter
from tesselle.runtime.futures import QUEUE, Future
from tesselle.runtime.invocation import Invocation
from tesselle.runtime.structures import Nesting
from tesselle.support.diagnostics import InvocationError

_NUMPY_DTYPES: list[np.dtype[Any] | None] = [
    DTYPES_BY_CODE[code].numpy if code in DTYPES_BY_CODE else None for code in range(max(DTYPES_BY_CODE) + 1)
]


class Function:
    """A function of a program, in a session: call it with arrays, by position or by name.

    Arguments: NumPy arrays (ml_dtypes for bf16, f8…), anything with DLPack or the buffer protocol, Python numbers and
    lists. They are read in place, without a copy, when they are C-contiguous and aligned; do not write to them
    while the call runs. One result is returned as an array, several as a tuple of arrays. InvocationError for wrong
    arguments; ExecutionError when the program fails.
    """

    __slots__ = ("_call", "signature")

    def __init__(
        self, record: FunctionRecord, session: _native.Session, labels: Mapping[int, str] | None = None
    ) -> None:
        self.signature = record
        converter = ArgumentConverter(record, labels or {})
        self._call = _native.BoundFunction(
            session,
            record.vm_function,
            converter.native_specs(),
            converter.bind,
            converter.convert,
            np.ndarray,
            _NUMPY_DTYPES,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._call(*args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> Future:
        """Call without waiting: arguments are checked now, the rest happens on other threads.

        Where the program has variables, calls of one session begin and end in the order of their submission.
        """
        return QUEUE.submit(self._call.begin(*args, **kwargs), self._call.results)

    def begin(self, *args: Any, **kwargs: Any) -> Invocation:
        """A call that has not begun, for a scheduler to drive.

        Where the program has variables it has its place among the session's calls from now on: those that are made
        after it wait until it has ended, or is dropped.
        """
        return Invocation(self._call.begin(*args, **kwargs), self)

    def results_of(self, invocation: _native.Invocation) -> Any:
        """The results of a call that is done."""
        return self._call.results(invocation)

    @property
    def flat(self) -> Function:
        """The function on arrays alone: arguments by position or by the names in `signature`, results as a tuple."""
        return self

    def __repr__(self) -> str:
        return f"<tesselle function {self.signature}>"


class NestedFunction(Function):
    """A function whose arguments and results nest: lists, tuples, dicts and named tuples of arrays.

    It is called as the function that it was made from. Lists and tuples may stand for one another; tuples and dicts, for
    named tuples. What that function fixed (numbers, booleans, strings, None) may be left out where it is an argument of
    its own, and must be the same where it is given.
    """

    __slots__ = ("_nesting", "_session")

    def __init__(self, record: FunctionRecord, session: _native.Session) -> None:
        self._nesting = Nesting(record)
        self._session = session
        super().__init__(record, session, self._nesting.labels)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._nesting.rebuild(self._call(*self._nesting.flatten(args, kwargs)))

    def submit(self, *args: Any, **kwargs: Any) -> Future:
        return QUEUE.submit(self._call.begin(*self._nesting.flatten(args, kwargs)), self.results_of)

    def begin(self, *args: Any, **kwargs: Any) -> Invocation:
        return Invocation(self._call.begin(*self._nesting.flatten(args, kwargs)), self)

    def results_of(self, invocation: _native.Invocation) -> Any:
        return self._nesting.rebuild(self._call.results(invocation))

    @property
    def flat(self) -> Function:
        return Function(self.signature, self._session)


def bind_function(record: FunctionRecord, session: _native.Session) -> Function:
    """The function of a session that a record describes. Errors: ArtifactError."""
    return NestedFunction(record, session) if record.structure else Function(record, session)


def find_record(functions: Mapping[str, FunctionRecord], name: str, module_name: str) -> FunctionRecord:
    """The signature of the function called `name`; InvocationError when there is none."""
    record = functions.get(name)
    if record is None:
        close = difflib.get_close_matches(name, functions, 1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        names = ", ".join(functions) or "none"
        raise InvocationError(f"no function named '{name}' in '{module_name}' (has: {names}){hint}")
    return record
