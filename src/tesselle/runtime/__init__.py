"""Runs artifacts: neither the compiler nor LLVM is imported here.

    program = load("model.tsl", device="cpu")
    y = program["main"](x)

Threads may call one program side by side: calls do not hold the interpreter's lock.
"""

from tesselle.runtime.function import Function
from tesselle.runtime.futures import Future
from tesselle.runtime.hal import DeviceInfo
from tesselle.runtime.hal import all_devices as devices
from tesselle.runtime.invocation import Invocation, Status
from tesselle.runtime.loading import load
from tesselle.runtime.profiling import DispatchRecord, MachineLimits, Profile, measure_machine_limits
from tesselle.runtime.program import Program
from tesselle.runtime.session import Session

__all__ = [
    "DeviceInfo",
    "DispatchRecord",
    "Function",
    "Future",
    "Invocation",
    "MachineLimits",
    "Profile",
    "Program",
    "Session",
    "Status",
    "devices",
    "load",
    "measure_machine_limits",
]
