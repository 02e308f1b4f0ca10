"""sdy (Shardy): meshes of devices, and how tensors are meant to lie on them.

Shardings say where elements live, never what they are: the program means the same without them. So they are kept as
text, and `drop-shardings` takes these operations away.
Source: the Shardy project's documentation of its dialect.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

from tesselle.dialects.stablehlo.base import tensor_type
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import TERMINATOR, Op, Region, Value
from tesselle.ir.declare import attr_def, op, operand_def, region_def, result_types_def, variadic_def
from tesselle.ir.types import Type, types_compatible


class Direction(enum.Enum):
    """Where a propagation barrier lets shardings through."""

    NONE = "NONE"
    FORWARD = "FORWARD"
    BACKWARD = "BACKWARD"
    BOTH = "BOTH"


@op("sdy.mesh")
class MeshOp(Op):
    """A grid of devices with named axes."""

    sym_name: str = attr_def()
    mesh: Attribute = attr_def()


class _Identity(Op):
    """Base: the result is the operand."""

    __slots__ = ()

    def infer(self) -> Sequence[Type]:
        return (tensor_type(self, self.operands[0], per_axis=True),)


@op("sdy.sharding_constraint")
class ShardingConstraintOp(_Identity):
    """operand, to be laid out as `sharding` says. Errors: I1 (no tensor)."""

    operand: Value = operand_def()
    sharding: Attribute = attr_def()


@op("sdy.reshard")
class ReshardOp(_Identity):
    """operand, moved so that it lies as `sharding` says. Errors: I1 (no tensor)."""

    operand: Value = operand_def()
    sharding: Attribute = attr_def()


@op("sdy.propagation_barrier")
class PropagationBarrierOp(_Identity):
    """operand; shardings spread across it in `allowed_direction` (a number: none, forward, backward, both) only.

    Errors: I1 (no tensor), direction (no such number).
    """

    operand: Value = operand_def()
    allowed_direction: int = attr_def()

    def check(self) -> None:
        count = len(Direction)
        self.require(0 <= self.allowed_direction < count, "direction", f"a direction is a number below {count}")

    @property
    def direction(self) -> Direction:
        return list(Direction)[self.allowed_direction]


@op("sdy.sharding_group")
class ShardingGroupOp(Op):
    """Tensors of one group are to lie alike."""

    operand: Value = operand_def()
    group_id: int = attr_def()


class _Computation(Op):
    """Base of operations whose body computes the results from the operands."""

    __slots__ = ()

    def body_block_types(self) -> tuple[list[Type], list[Type]]:
        """The types of the body's arguments, and of what it returns."""
        block = self.regions[0].block
        return [a.type for a in block.args], [v.type for v in block.terminator.operands]


@op("sdy.manual_computation")
class ManualComputationOp(_Computation):
    """results = body(operands) on every device, each with its own pieces of operands and results along `manual_axes`.

    Errors: C1 (numbers of arguments or results).
    """

    inputs: Sequence[Value] = variadic_def()
    in_shardings: Attribute = attr_def()
    out_shardings: Attribute = attr_def()
    manual_axes: Attribute = attr_def()
    body: Region = region_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        arguments, returned = self.body_block_types()
        counts = (len(arguments), len(returned))
        expected = (len(self.inputs), len(self.results))
        self.require(counts == expected, "C1", f"the body has {counts} arguments and results, not {expected}")


@op("sdy.named_computation")
class NamedComputationOp(_Computation):
    """results = body(operands). Errors: C1 (the body's types are not those of operands and results)."""

    inputs: Sequence[Value] = variadic_def()
    label: str = attr_def(name="name")
    body: Region = region_def()
    types: Sequence[Type] = result_types_def()
    in_shardings: Attribute = attr_def(default=None)
    out_shardings: Attribute = attr_def(default=None)

    def check(self) -> None:
        arguments, returned = self.body_block_types()
        pairs = (arguments, [v.type for v in self.inputs]), (returned, list(self.result_types))
        for found, expected in pairs:
            fits = len(found) == len(expected) and all(map(types_compatible, found, expected))
            self.require(
                fits, "C1", f"expected ({', '.join(map(str, expected))}), found ({', '.join(map(str, found))})"
            )


@op("sdy.return", TERMINATOR)
class ReturnOp(Op):
    """Ends the body of a computation."""

    values: Sequence[Value] = variadic_def()
