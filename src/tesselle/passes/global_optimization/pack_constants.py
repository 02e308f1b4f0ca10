"""pack-constants: lay out constant weights as the kernels of contractions and convolutions read them.

    %w = arith.constant : tensor<384x1536xf32>                %w = arith.constant : tensor<96x384x16xf32>
    linalg.contract(%x, %w, %out) {maps}               ->     linalg.packed_contract(%x, %w, %out) {…}

The right-hand side is read through its indexing map, so that transposed weights (`x @ w.T`) are packed as well. Each
constant is packed once for all operations that read it in the same way; the constant in its old layout goes when
nothing else uses it. Left as they are: weights whose result has the other operand's dimension innermost, products with
few columns (panels would be mostly padding), depthwise filters (their kernels read them in place), element types other
than f32 and f64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tesselle.dialects.core.arith import ConstantOp
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg.ops import ContractOp, ConvOp
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op, Value, constant_elements
from tesselle.ir.passes import Fact, Pass, register_pass
from tesselle.ir.rewrite import eliminate_dead_code
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import F32, F64

Array = np.ndarray[Any, np.dtype[Any]]

_BLOCK_BYTES = 1 << 17
"""Weights are turned around in pieces of about this size, which stay in the cache."""


@register_pass("pack-constants", needs=[Fact.LINALG])
@dataclass(frozen=True)
class PackConstants(Pass):
    """Pack constant right-hand sides into panels of `panel_bytes` (two vector registers of the target)."""

    panel_bytes: int = 64

    def run(self, module: Op) -> None:
        packed: dict[tuple[Any, ...], Value] = {}
        for op in list(module.walk()):
            if isinstance(op, ContractOp):
                self._contract(op, packed)
            elif isinstance(op, ConvOp):
                self._conv(op, packed)
        eliminate_dead_code(module)

    def _panel(self, rhs: Value, columns: int) -> int | None:
        """Columns of a panel for a constant operand, or None when it stays as it is."""
        dtype = tensor_type(rhs).dtype
        elements = constant_elements(rhs)
        if elements is None or elements.is_splat or dtype not in (F32, F64):
            return None
        panel = self.panel_bytes // dtype.size_bytes
        return panel if panel and 2 * columns >= panel else None

    def _contract(self, op: ContractOp, packed: dict[tuple[Any, ...], Value]) -> None:
        lhs_map, rhs_map, out_map = op.indexing_maps
        out, left, right = (m.projected_dims() for m in (out_map, lhs_map, rhs_map))
        batch, n, k = (op.dims_of(r) for r in ("batch", "n", "k"))
        if out is None or left is None or right is None or tensor_type(op.result).dtype != tensor_type(op.rhs).dtype:
            return
        # Columns must be innermost in the result; unit dimensions do not count.
        sizes = dict(zip(out, tensor_type(op.result).shape, strict=True))
        inner = next((d for d in reversed(out) if sizes[d] != 1), None)
        shape = tensor_type(op.rhs).shape
        extent = dict(zip(right, shape, strict=True))
        known = {d: s for d, s in extent.items() if s is not None}
        if inner not in n or len(known) != len(extent) or set(right) != {*batch, *n, *k}:
            return
        batch, n = (tuple(sorted(dims, key=out.index)) for dims in (batch, n))
        k = tuple(sorted(k, key=left.index))
        n_sizes, k_sizes = (tuple(known[d] for d in dims) for dims in (n, k))
        panel = self._panel(op.rhs, math.prod(n_sizes))
        if panel is None:
            return
        order = tuple(right.index(d) for d in (*batch, *k, *n))
        rhs = _packed(op.rhs, order, len(batch), len(k), panel, packed)
        b = Builder.before_op(op)
        new = PackedContractOp(op.lhs, rhs, op.output, lhs_map, out_map, batch, n, k, n_sizes, k_sizes)
        op.replace_with(b.insert(new).result)

    def _conv(self, op: ConvOp, packed: dict[tuple[Any, ...], Value]) -> None:
        t = tensor_type(op.filter)
        if not t.is_static or tensor_type(op.result).dtype != t.dtype:
            return
        *window, channels, features = t.static_shape
        per_group = features // op.groups
        panel = self._panel(op.filter, per_group)
        if panel is None or (channels == 1 and op.groups > 1):
            return
        filter = _packed_filter(op.filter, op.groups, panel, packed)
        b = Builder.before_op(op)
        new = PackedConvOp(op.input, filter, op.output, op.strides, op.dilations, tuple(window), features, op.groups)
        op.replace_with(b.insert(new).result)


def _packed(
    rhs: Value, order: tuple[int, ...], batch: int, k: int, panel: int, known: dict[tuple[Any, ...], Value]
) -> Value:
    """The constant with its dimensions in `order` (batches, reduction, columns), in panels."""
    key = (rhs, order, batch, k, panel)
    if key not in known:
        elements = constant_elements(rhs)
        assert elements is not None
        view = elements.array.transpose(order)
        lead = view.shape[:batch]
        depth, columns = math.prod(view.shape[batch : batch + k]), math.prod(view.shape[batch + k :])
        known[key] = _constant(rhs, pack(_matrices(view, lead, depth, columns), panel, lead))
    return known[key]


def _packed_filter(rhs: Value, groups: int, panel: int, known: dict[tuple[Any, ...], Value]) -> Value:
    key = (rhs, groups, panel)
    if key not in known:
        elements = constant_elements(rhs)
        assert elements is not None
        *window, channels, features = elements.array.shape
        depth = math.prod(window) * channels
        split = elements.array.reshape(depth, groups, features // groups).transpose(1, 0, 2)
        known[key] = _constant(rhs, pack(split, panel, (groups,)))
    return known[key]


def _constant(rhs: Value, array: Array) -> Value:
    op = rhs.defining_op
    assert op is not None
    t = TensorType(array.shape, tensor_type(rhs).dtype)
    return Builder.before_op(op).insert(ConstantOp(DenseElements(array, t), t)).result


def _matrices(view: Array, lead: Sequence[int], depth: int, columns: int) -> Array:
    """`view` as [batch, depth, columns], without a copy where its strides allow it."""
    return view.reshape(math.prod(lead), depth, columns)


def pack(matrices: Array, panel: int, lead: Sequence[int]) -> Array:
    """[batch, depth, columns] -> [*lead, ceil(columns / panel), depth, panel], padded with zeros; the result is read-
    only.
    """
    count, depth, columns = matrices.shape
    panels, whole = -(-columns // panel), columns // panel
    result = np.empty((count, panels, depth, panel), matrices.dtype)
    # Pieces of the reduction that stay in the cache while all panels take their part of them.
    row_bytes = max(1, columns * matrices.itemsize)
    rows = max(8, min(depth, _BLOCK_BYTES // row_bytes)) if matrices.strides[-1] == matrices.itemsize else depth
    for b in range(count):
        for k in range(0, depth, rows):
            part = matrices[b, k : k + rows, : whole * panel]
            split = part.reshape(len(part), whole, panel) if part.strides[-1] == part.itemsize else None
            if split is not None:
                result[b, :whole, k : k + rows] = split.transpose(1, 0, 2)
                continue
            for p in range(whole):
                result[b, p, k : k + rows] = part[:, p * panel : (p + 1) * panel]
        if whole < panels:
            result[b, whole, :, columns - whole * panel :] = 0
            result[b, whole, :, : columns - whole * panel] = matrices[b, :, whole * panel :]
    result = result.reshape(*lead, panels, depth, panel)
    result.flags.writeable = False
    return result
