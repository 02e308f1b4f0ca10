"""The encodings of CHLO's attributes; the others are written as text. Source: ChloBytecode.cpp."""

from __future__ import annotations

from tesselle.dialects.chlo.attributes import ComparisonDirection, ComparisonType
from tesselle.dialects.stablehlo.bytecode import read_enum
from tesselle.ir.bytecode.registry import ATTRIBUTE_READERS

ATTRIBUTE_READERS["chlo"] = {0: read_enum(tuple(ComparisonDirection)), 1: read_enum(tuple(ComparisonType))}
