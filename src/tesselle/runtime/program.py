"""Loaded programs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator, Mapping
from types import MappingProxyType

from tesselle.artifact.schema import FunctionRecord, Manifest
from tesselle.runtime import _native
from tesselle.runtime.function import Function, find_record
from tesselle.runtime.hal.device import Device
from tesselle.runtime.profiling import Profile
from tesselle.runtime.session import Session
from tesselle.support.diagnostics import InvocationError
from tesselle.support.transfers import HostTransfers


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
        self.session: Session = self.new_session()
        """The default session, in which `program[name]` calls."""
        # Making a function checks its signature against the code: every one now, not when it is first called.
        for name in self.functions:
            self.session[name]

    def record(self, name: str) -> FunctionRecord:
        """The signature of the function called `name`; InvocationError when there is none."""
        return find_record(self.functions, name, self.manifest.module_name)

    def __getitem__(self, name: str) -> Function:
        """The function called `name`, in the default session."""
        return self.session[name]

    def __contains__(self, name: str) -> bool:
        return name in self.functions

    def new_session(self) -> Session:
        """A session with its own variables, whose first values the program's initializer gives. It shares code and
        constants with the others. ExecutionError when the initializer fails.
        """
        # A session does not refer to its program: the default one would keep the constants until the garbage collector
        # comes by.
        return Session(_native.Session(self._native), self.manifest, self.functions)

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
