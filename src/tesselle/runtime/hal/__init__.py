"""The hardware abstraction layer, shaped like compute-only Vulkan: devices, buffers, command buffers, semaphores.

`device` says what a driver provides, `registry` finds drivers, `drivers/` holds one module for each.
"""

from tesselle.runtime.hal.device import (
    Access,
    Binding,
    Buffer,
    CommandBuffer,
    Device,
    DeviceInfo,
    Executable,
    MemoryUse,
    Semaphore,
)
from tesselle.runtime.hal.registry import DRIVERS, all_devices, open_device, parse_device

__all__ = [
    "DRIVERS",
    "Access",
    "Binding",
    "Buffer",
    "CommandBuffer",
    "Device",
    "DeviceInfo",
    "Executable",
    "MemoryUse",
    "Semaphore",
    "all_devices",
    "open_device",
    "parse_device",
]
