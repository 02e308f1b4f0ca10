"""Loaded programs, their functions and their sessions."""

from __future__ import annotations

import contextlib
import difflib
import threading
from collections.abc import Generator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from tesselle.artifact.schema import FunctionRecord, Manifest
from tesselle.artifact.vm_isa import DTYPES_BY_CODE
from tesselle.runtime import _native
from tesselle.runtime.arguments import ArgumentConverter
from tesselle.runtime.futures import QUEUE, Future
from tesselle.runtime.hal.device import Device
from tesselle.runtime.invocation import Invocation
from tesselle.runtime.profiling import Profile
from tesselle.support.diagnostics import InvocationError
from tesselle.support.transfers import HostTransfers

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

    def __init__(self, record: FunctionRecord, session: _native.Session) -> None:
        self.signature = record
        converter = ArgumentConverter(record)
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
        """Call without waiting: arguments are checked now, the rest happens on other threads."""
        return QUEUE.submit(self._call.begin(*args, **kwargs), self._call.results)

    def begin(self, *args: Any, **kwargs: Any) -> Invocation:
        """A call that has not begun, for a scheduler to drive."""
        return Invocation(self._call.begin(*args, **kwargs), self)

    def results_of(self, invocation: _native.Invocation) -> Any:
        """The results of a call that is done."""
        return self._call.results(invocation)

    def __repr__(self) -> str:
        return f"<tesselle function {self.signature}>"


class Session:
    """A program with variables of its own.

    Calls in one session may run at the same time; each access to a variable is atomic, a whole call is not.
    """

    def __init__(self, program: Program, native: _native.Session) -> None:
        self.program = program
        self.native = native
        self._functions: dict[str, Function] = {}

    def __getitem__(self, name: str) -> Function:
        """The function called `name`; InvocationError when there is none."""
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = Function(self.program.record(name), self.native)
        return function

    def __contains__(self, name: str) -> bool:
        return name in self.program.functions


class Program:
    """A loaded program: code, kernels and constants on a device. See `tesselle.runtime.load`."""

    def __init__(
        self, native: _native.Program, manifest: Manifest, device: Device, transfers: HostTransfers | None = None
    ) -> None:
        self._native = native
        self._profile_lock = threading.Lock()
        self.manifest = manifest
        self.device = device
        self.transfers = transfers or HostTransfers()
        """What the program's infeed, outfeed, send and recv exchange with this process."""
        self.functions: Mapping[str, FunctionRecord] = MappingProxyType({f.name: f for f in manifest.functions})
        """Name → signature."""
        # No Session object here: it would refer back, and keep the constants until the garbage collector comes by.
        # Making a function checks its signature against the code: every one now, not when it is first called.
        session = native.new_session()
        self._default = {name: Function(record, session) for name, record in self.functions.items()}

    def record(self, name: str) -> FunctionRecord:
        """The signature of the function called `name`; InvocationError when there is none."""
        record = self.functions.get(name)
        if record is None:
            close = difflib.get_close_matches(name, self.functions, 1)
            hint = f"; did you mean '{close[0]}'?" if close else ""
            names = ", ".join(self.functions) or "none"
            raise InvocationError(f"no function named '{name}' in '{self.manifest.module_name}' (has: {names}){hint}")
        return record

    def __getitem__(self, name: str) -> Function:
        """The function called `name`, in the default session."""
        return self._default[self.record(name).name]

    def __contains__(self, name: str) -> bool:
        return name in self.functions

    def new_session(self) -> Session:
        """A session with its own variables, set up by the program's initializer."""
        return Session(self, self._native.new_session())

    @contextlib.contextmanager
    def profile(self) -> Generator[Profile]:
        """Collect a record of every dispatch of calls that begin inside the block. One at a time for each program."""
        profile = Profile()
        profiler = _native.Profiler()
        if not self._profile_lock.acquire(blocking=False):
            raise InvocationError("this program is being profiled already")
        try:
            self._native.set_profiler(profiler)
            yield profile
        finally:
            self._native.set_profiler(None)
            self._profile_lock.release()
            profile.fill(profiler.take())

    def __repr__(self) -> str:
        return f"<tesselle program '{self.manifest.module_name}' on {self.device.info.id}: {', '.join(self.functions)}>"
