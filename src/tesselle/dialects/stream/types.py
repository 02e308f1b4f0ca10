"""Types of stream."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tesselle.ir.types import Type


class Lifetime(enum.Enum):
    """Who owns the bytes of a resource, and for how long."""

    UNKNOWN = "*"
    EXTERNAL = "external"
    """An argument, or a result that outlives the call."""
    TRANSIENT = "transient"
    """Lives inside one invocation."""
    CONSTANT = "constant"
    """Read-only, as long as the program is loaded."""


@dataclass(frozen=True, slots=True)
class ResourceType(Type):
    """`!stream.resource<transient>`: bytes. In stream.async a value (immutable), in stream.cmd a place."""

    lifetime: Lifetime = Lifetime.UNKNOWN

    def __str__(self) -> str:
        return f"!stream.resource<{self.lifetime.value}>"


@dataclass(frozen=True, slots=True)
class TimepointType(Type):
    """`!stream.timepoint`: when some work is done."""

    def __str__(self) -> str:
        return "!stream.timepoint"


RESOURCE = ResourceType()
EXTERNAL, TRANSIENT, CONSTANT = (
    ResourceType(Lifetime.EXTERNAL),
    ResourceType(Lifetime.TRANSIENT),
    ResourceType(Lifetime.CONSTANT),
)
TIMEPOINT = TimepointType()
