"""Finds drivers by name, opens devices from strings: `driver[:ordinal][:key=value,…]`, for example "cpu:threads=2"."""

from __future__ import annotations

import importlib
import threading
from dataclasses import dataclass, field
from typing import cast

from tesselle.runtime.hal.device import Device, DeviceInfo, Driver
from tesselle.support.diagnostics import OptionError

DRIVERS: dict[str, str] = {"cpu": "tesselle.runtime.hal.drivers.cpu"}
"""Driver name → module. A driver's libraries are loaded when it is first asked for."""


@dataclass(frozen=True, slots=True)
class DeviceString:
    """A device string, taken apart."""

    driver: str
    ordinal: int = 0
    options: tuple[tuple[str, str], ...] = field(default=())


_lock = threading.Lock()
_open: dict[DeviceString, Device] = {}


def driver(name: str) -> Driver:
    """The driver called `name`; OptionError when there is none."""
    if name not in DRIVERS:
        raise OptionError(f"no device driver named '{name}'; there are: {', '.join(sorted(DRIVERS))}")
    # A driver is a module that has what the protocol asks for; the type checker cannot see into import_module.
    return cast(Driver, importlib.import_module(DRIVERS[name]))


def parse_device(text: str) -> DeviceString:
    """Take a device string apart; OptionError when it is malformed."""
    name, *rest = text.strip().split(":")
    ordinal = 0
    if rest and rest[0].isdecimal():
        ordinal = int(rest.pop(0))
    options: list[tuple[str, str]] = []
    if len(rest) > 1:
        raise OptionError(f"device '{text}': expected driver[:ordinal][:key=value,...]")
    for item in rest[0].split(",") if rest else ():
        key, equals, value = item.partition("=")
        if not key or not equals or not value or key in dict(options):
            raise OptionError(f"device '{text}': '{item}' is not an option of the form key=value")
        options.append((key, value))
    driver(name)
    return DeviceString(name, ordinal, tuple(sorted(options)))


def open_device(device: str | Device) -> Device:
    """Open a device, once per string: programs on one device share its threads and its memory."""
    if isinstance(device, Device):
        return device
    key = parse_device(device)
    with _lock:
        if key not in _open:
            _open[key] = driver(key.driver).open(key.ordinal, dict(key.options))
        return _open[key]


def all_devices() -> tuple[DeviceInfo, ...]:
    """Every device of every driver of this machine."""
    return tuple(info for name in DRIVERS for info in driver(name).devices())
