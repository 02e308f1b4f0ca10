"""linalg on packed weights: contractions and convolutions whose constant right-hand side lies in the order that kernels
read.

A packed right-hand side has shape [batch…, panels, K, panel]: column n of the product stands in panel n // panel at
place n % panel, reduction step k at position k; places behind the last column are zero. One panel is read from
beginning to end while a block of rows passes by, so that the register kernel needs neither strides nor masks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, ConvOp
from tesselle.ir.affine import AffineMap
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def
from tesselle.ir.types import Type


@op("linalg.packed_contract", PURE)
class PackedContractOp(Op):
    """out[out_map(d)] += lhs[lhs_map(d)] * w[batch…, n, k] over all d, for a packed w.

    Shapes: rhs [batch…, ceil(N / panel), K, panel], where N and K are the products of `n_sizes` and `k_sizes`.
    `batch_loops`, `n_loops`, `k_loops`: the loops that walk w, in row-major order of its batches, columns and reduction
    steps. `rhs_map`: how the rhs was read before it was packed (what it means is fully said by the other attributes).
    Errors: shape, loops.
    """

    lhs: Value = operand_def()
    rhs: Value = operand_def()
    output: Value = operand_def()
    lhs_map: AffineMap = attr_def()
    out_map: AffineMap = attr_def()
    batch_loops: tuple[int, ...] = attr_def()
    n_loops: tuple[int, ...] = attr_def()
    k_loops: tuple[int, ...] = attr_def()
    n_sizes: tuple[int, ...] = attr_def()
    k_sizes: tuple[int, ...] = attr_def()

    def infer(self) -> Sequence[Type]:
        return [self.output.type]

    def check(self) -> None:
        shape = tensor_type(self.rhs).static_shape
        batch = len(self.batch_loops)
        self.require(len(shape) == batch + 3, "shape", f"a packed operand with {batch} batch loops cannot be {shape}")
        want = (-(-math.prod(self.n_sizes) // self.panel), math.prod(self.k_sizes), self.panel)
        self.require(shape[batch:] == want, "shape", f"panels are {shape[batch:]}, expected {want}")
        for name, map in (("lhs", self.lhs_map), ("out", self.out_map)):
            self.require(map.projected_dims() is not None, "loops", f"the map of {name} is not a projection: {map}")

    @property
    def panel(self) -> int:
        """Columns of a panel."""
        return tensor_type(self.rhs).static_shape[-1]

    @property
    def m_loops(self) -> tuple[int, ...]:
        """Loops that walk lhs and out, but not w."""
        own = {*self.batch_loops, *self.n_loops, *self.k_loops}
        return tuple(sorted(self.out_map.used_dims() - own))


@op("linalg.packed_conv", PURE)
class PackedConvOp(Op):
    """out[n, x…, f] += input[n, x·stride + w·dilation, g·C + c] * filter[w…, c, f], as linalg.conv, for a packed
    filter.

    Shapes: filter [groups, ceil(F / groups / panel), window · C, panel]; `window`: its spatial sizes; `features`: F.
    Errors: shape.
    """

    input: Value = operand_def()
    filter: Value = operand_def()
    output: Value = operand_def()
    strides: tuple[int, ...] = attr_def()
    dilations: tuple[int, ...] = attr_def()
    window: tuple[int, ...] = attr_def()
    features: int = attr_def()
    groups: int = attr_def(default=1)

    def infer(self) -> Sequence[Type]:
        return [self.output.type]

    def check(self) -> None:
        groups, panels, steps, panel = tensor_type(self.filter).static_shape
        per_group = self.features // self.groups
        self.require(
            groups == self.groups and panels == -(-per_group // panel),
            "shape",
            f"{groups} groups of {panels} panels of {panel} do not hold {self.groups} groups of {per_group} features",
        )
        channels = tensor_type(self.input).shape[-1]
        want = None if channels is None else math.prod(self.window) * channels // self.groups
        self.require(want in (None, steps), "shape", f"the filter has {steps} reduction steps, expected {want}")

    @property
    def panel(self) -> int:
        return tensor_type(self.filter).static_shape[-1]

    @property
    def spatial_rank(self) -> int:
        return len(self.window)


CONTRACTIONS = (ContractOp, ConvOp, PackedContractOp, PackedConvOp)
"""The operations that a dispatch of the contraction kind has one of; each has operands (left, right, output) and one
result.
"""
