"""Attributes of CHLO. The enumerations have the members of StableHLO's, under another name in text."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tesselle.ir.attributes import DialectAttr


class ComparisonDirection(enum.Enum):
    EQ = "EQ"
    NE = "NE"
    GE = "GE"
    GT = "GT"
    LE = "LE"
    LT = "LT"


class ComparisonType(enum.Enum):
    NOTYPE = "NOTYPE"
    FLOAT = "FLOAT"
    TOTALORDER = "TOTALORDER"
    SIGNED = "SIGNED"
    UNSIGNED = "UNSIGNED"


class Precision(enum.Enum):
    DEFAULT = "DEFAULT"
    HIGH = "HIGH"
    HIGHEST = "HIGHEST"


ENUMS: dict[str, type[enum.Enum]] = {
    "comparison_direction": ComparisonDirection,
    "comparison_type": ComparisonType,
    "precision": Precision,
}
"""Enumerations written `#chlo<mnemonic VALUE>`, by mnemonic."""


@dataclass(frozen=True, slots=True)
class RaggedDotDimensionNumbers(DialectAttr):
    """Dimension numbers of a dot_general, and which of them are ragged or hold groups."""

    lhs_batching_dimensions: tuple[int, ...] = ()
    rhs_batching_dimensions: tuple[int, ...] = ()
    lhs_contracting_dimensions: tuple[int, ...] = ()
    rhs_contracting_dimensions: tuple[int, ...] = ()
    lhs_ragged_dimensions: tuple[int, ...] = ()
    rhs_group_dimensions: tuple[int, ...] = ()

    def prefix(self) -> tuple[int, ...]:
        """The dimensions of lhs that group_sizes has in front of the groups: the batching ones and those of the ragged
        one's kind that stand before it."""
        (ragged,) = self.lhs_ragged_dimensions
        batch, contracting = self.lhs_batching_dimensions, self.lhs_contracting_dimensions
        if ragged in batch:
            return batch[: batch.index(ragged)]
        if ragged in contracting:
            return (*batch, *contracting[: contracting.index(ragged)])
        return (*batch, *(d for d in range(ragged) if d not in batch and d not in contracting))

    def __str__(self) -> str:
        parts = (
            ("lhs_batching_dimensions", self.lhs_batching_dimensions),
            ("rhs_batching_dimensions", self.rhs_batching_dimensions),
            ("lhs_contracting_dimensions", self.lhs_contracting_dimensions),
            ("rhs_contracting_dimensions", self.rhs_contracting_dimensions),
            ("lhs_ragged_dimensions", self.lhs_ragged_dimensions),
            ("rhs_group_dimensions", self.rhs_group_dimensions),
        )
        return f"#chlo.ragged_dot<{', '.join(f'{k} = {list(v)}' for k, v in parts if v)}>"
