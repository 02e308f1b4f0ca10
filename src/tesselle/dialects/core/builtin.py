"""`builtin`: the module, and casts between types of different dialects while a conversion is under way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tesselle.ir.core import ISOLATED, NO_TERMINATOR, PURE, SYMBOL_TABLE, Block, Op, Region, Value
from tesselle.ir.declare import attr_def, op, region_def, result_types_def, variadic_def
from tesselle.ir.types import Type


@op("builtin.module", ISOLATED, SYMBOL_TABLE, NO_TERMINATOR)
class ModuleOp(Op):
    """A program: one region with one block that holds symbols. `ModuleOp()` makes one with an empty block."""

    body_region: Region = region_def()
    sym_name: str | None = attr_def(default=None)
    sym_visibility: str | None = attr_def(default=None)

    @staticmethod
    def empty(name: str | None = None) -> ModuleOp:
        """A module with an empty block."""
        return ModuleOp(Region([Block()]), name)

    @property
    def body(self) -> Block:
        return self.regions[0].block

    def symbols(self) -> Iterator[tuple[str, Op]]:
        """Name and operation of every symbol of the module."""
        for op_ in self.body:
            name = op_.attributes.get("sym_name")
            if isinstance(name, str):
                yield name, op_

    def lookup(self, name: str) -> Op | None:
        """The symbol `name`, or None."""
        return next((op_ for symbol, op_ in self.symbols() if symbol == name), None)

    def check(self) -> None:
        blocks = self.regions[0].blocks
        self.require(len(blocks) == 1, "region", f"a module has one block, found {len(blocks)}")
        self.require(not blocks[0].args, "region", "the block of a module has no arguments")


@op("builtin.unrealized_conversion_cast", PURE)
class UnrealizedConversionCastOp(Op):
    """Stands between values of two type systems during a conversion; none is left when the conversion is over."""

    inputs: Sequence[Value] = variadic_def()
    outputs: Sequence[Type] = result_types_def()
