"""Types of hal: handles of objects of the runtime."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.ir.types import Type


@dataclass(frozen=True, slots=True)
class BufferType(Type):
    """`!hal.buffer`: bytes on a device."""

    def __str__(self) -> str:
        return "!hal.buffer"


@dataclass(frozen=True, slots=True)
class BufferViewType(Type):
    """`!hal.buffer_view`: a dense tensor inside a buffer, with its shape and element type."""

    def __str__(self) -> str:
        return "!hal.buffer_view"


@dataclass(frozen=True, slots=True)
class CommandBufferType(Type):
    """`!hal.command_buffer`: recorded work on binding slots."""

    def __str__(self) -> str:
        return "!hal.command_buffer"


@dataclass(frozen=True, slots=True)
class FenceType(Type):
    """`!hal.fence`: a point of the device's timeline; null means that it is reached already."""

    def __str__(self) -> str:
        return "!hal.fence"


@dataclass(frozen=True, slots=True)
class CommandCacheType(Type):
    """`!hal.command_cache`: command buffers by the sizes that they were recorded for."""

    def __str__(self) -> str:
        return "!hal.command_cache"


BUFFER, BUFFER_VIEW, COMMAND_BUFFER, FENCE = BufferType(), BufferViewType(), CommandBufferType(), FenceType()
COMMAND_CACHE = CommandCacheType()
