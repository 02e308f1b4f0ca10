"""What a dispatch does, in words and numbers: for names, the manifest and `tesselle bench`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core import tensor
from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.linalg import ops as linalg
from tesselle.dialects.linalg.packed import PackedContractOp, PackedConvOp
from tesselle.ir.core import Op, Value
from tesselle.ir.types import Dim, TensorType


@dataclass(frozen=True)
class Description:
    """`name`: a part of an identifier, such as `contract_128x384x384_f32`; `summary`: the operations in order."""

    name: str
    summary: str
    flops: int | None
    bytes: int | None


def _dims_text(dims: Sequence[Dim]) -> str:
    return "x".join("D" if d is None else str(d) for d in dims)


def _product(dims: Sequence[Dim]) -> int | None:
    known = [d for d in dims if d is not None]
    return math.prod(known) if len(known) == len(dims) else None


def _identifier(text: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in text).strip("_")


def loop_extents(op: Op) -> list[Dim]:
    """The extent of every loop of the nest that the operation is."""
    if isinstance(op, linalg.GenericOp):
        return [tensor_type(op.operands[i]).shape[axis] for i, axis in linalg.loop_ranges(op)]
    if isinstance(op, linalg.ContractOp):
        found: dict[int, Dim] = {}
        for value, m in zip(op.operands, op.indexing_maps, strict=True):
            for d, size in zip(m.projected_dims() or (), tensor_type(value).shape, strict=True):
                if found.get(d) is None:
                    found[d] = size
        order = (*op.dims_of("batch"), *op.dims_of("m"), *op.dims_of("n"), *op.dims_of("k"))
        return [found[d] for d in order]
    if isinstance(op, PackedContractOp):
        shape = tensor_type(op.lhs).shape
        rows = [shape[i] for i, d in enumerate(op.lhs_map.projected_dims() or ()) if d not in op.k_loops]
        return [*rows, math.prod(op.n_sizes), math.prod(op.k_sizes)]
    if isinstance(op, PackedConvOp):
        return [*tensor_type(op.output).shape, tensor_type(op.filter).shape[-2]]
    if isinstance(op, linalg.ConvOp):
        window = tensor_type(op.filter).shape[:-1]
        return [*tensor_type(op.output).shape, *window]
    return list(tensor_type(op.results[0]).shape) if op.results else []


def _flops(op: Op) -> int | None:
    if isinstance(op, linalg.GenericOp):
        work = sum(o.dialect in ("arith", "math") and o.name != "arith.constant" for o in op.body.block)
    elif op.dialect == "linalg" and not isinstance(op, linalg.FillOp | linalg.SortOp | linalg.ScatterOp):
        work = 2
    else:
        return 0
    extents = _product(loop_extents(op))
    return None if extents is None else work * extents


def _label(op: Op) -> str:
    if isinstance(op, linalg.GenericOp):
        if op.reduction_dims:
            return "reduce"
        if any(isinstance(o, tensor.ExtractOp) for o in op.body.block):
            return "gather"
        return "elementwise"
    return op.name.split(".", 1)[1]


def describe(ops: Sequence[Op], bindings: Sequence[Value], results: Sequence[Value]) -> Description:
    """Describe a dispatch of `ops` (a region's operations) that reads `bindings` and writes `results`."""
    work = [o for o in ops if o.dialect == "linalg" and o.name != "linalg.fill"]
    work = work or [o for o in ops if o.name.startswith("tensor.") and o.name not in ("tensor.empty", "tensor.extract")]
    work = work or [o for o in ops if o.name == "linalg.fill"]
    labels = [_label(o) for o in work]
    contraction = next((o for o in work if _label(o) not in ("reduce", "gather", "elementwise")), None)
    root = contraction or next((o for o in work if _label(o) == "reduce"), work[-1] if work else None)
    dtype = next((v.type.dtype for v in results if isinstance(v.type, TensorType)), "")
    name = "copy"
    if root is not None:
        name = _identifier(f"{_label(root)}_{_dims_text(loop_extents(root))}_{dtype}")
    flops: int | None = 0
    for o in work:
        count = _flops(o)
        flops = None if flops is None or count is None else flops + count
    sizes = [_product(v.type.shape) for v in (*bindings, *results) if isinstance(v.type, TensorType)]
    widths = [v.type.dtype.size_bytes for v in (*bindings, *results) if isinstance(v.type, TensorType)]
    known = [s * w for s, w in zip(sizes, widths, strict=True) if s is not None]
    return Description(
        name,
        " + ".join(f"{label} {_dims_text(loop_extents(o))}" for label, o in zip(labels, work, strict=True)),
        flops,
        sum(known) if len(known) == len(sizes) else None,
    )
