"""Products of matrices, einsums and biases."""

from __future__ import annotations

import string
from collections.abc import Sequence

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection, DotDimensionNumbers
from tesselle.dialects.stablehlo.contraction import DotGeneralOp
from tesselle.dialects.tf import contraction as tf
from tesselle.ir.core import Value
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering
from tesselle.support.dtypes import I32

Axes = tuple[Sequence[int], Sequence[int]]


def product(b: TfBuilder, x: Value, y: Value, contract: Axes, batch: Axes = ((), ())) -> Value:
    """dot_general. Result: the batch, the rest of x, the rest of y."""
    s, t = b.dims(x), b.dims(y)
    left, right = (*batch[0], *contract[0]), (*batch[1], *contract[1])
    shape = [
        *(s[d] if s[d] is not None else t[k] for d, k in zip(batch[0], batch[1], strict=True)),
        *(n for d, n in enumerate(s) if d not in left),
        *(n for d, n in enumerate(t) if d not in right),
    ]
    numbers = DotDimensionNumbers(tuple(batch[0]), tuple(batch[1]), tuple(contract[0]), tuple(contract[1]))
    return b.insert(DotGeneralOp(x, y, numbers, tensor_type(x).with_shape(shape))).result


@lowering(tf.MatMulOp)
def mat_mul(op: tf.MatMulOp, b: TfBuilder) -> Value:
    return product(b, op.a, op.b, ((0 if op.transpose_a else 1,), (1 if op.transpose_b else 0,)))


@lowering(tf.BatchMatMulOp, tf.BatchMatMulV2Op, tf.BatchMatMulV3Op)
def batch_mat_mul(op: tf.BatchMatMulBase, b: TfBuilder) -> Value:
    """Where one operand has no batch, its product with all matrices of the other is one product."""
    x = b.convert(b.conjugate(op.x) if op.adj_x else op.x, op.result_type.dtype)
    y = b.convert(b.conjugate(op.y) if op.adj_y else op.y, op.result_type.dtype)
    m, n = b.rank(x), b.rank(y)
    if n == 2:
        return product(b, x, y, ((m - 2 if op.adj_x else m - 1,), (1 if op.adj_y else 0,)))
    if m == 2:
        # The rest of y comes first then: [batch…, columns, rows].
        return b.swap_last(product(b, y, x, ((n - 1 if op.adj_y else n - 2,), (0 if op.adj_x else 1,))))
    x, y = _common_batches(b, x, y)
    rank = b.rank(x)
    axes = tuple(range(rank - 2))
    contract = ((rank - 2 if op.adj_x else rank - 1,), (rank - 1 if op.adj_y else rank - 2,))
    return product(b, x, y, contract, (axes, axes))


def _common_batches(b: TfBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """The operands with their batches repeated to one shape."""
    if b.rank(x) == b.rank(y) and b.known.shape(x)[:-2] == b.known.shape(y)[:-2]:
        return x, y
    s, t = b.sizes(x), b.sizes(y)
    # The batch's shape is that of a sum of tensors of the batches' shapes, which is not computed.
    batch = b.common_sizes([b.zeros(s[:-2], I32), b.zeros(t[:-2], I32)])
    return b.broadcast_to(x, [*batch, *s[-2:]]), b.broadcast_to(y, [*batch, *t[-2:]])


# ---------------------------------------------------------------------------------------------- einsum


@lowering(tf.EinsumOp)
def einsum(op: tf.EinsumOp, b: TfBuilder) -> Value:
    inputs, _, out = op.equation.replace(" ", "").partition("->")
    labels, out = _letters(b, inputs.split(","), out, [b.rank(v) for v in op.inputs])
    if len(op.inputs) == 1:
        value, found = _alone(b, op.inputs[0], labels[0], out)
        return b.transpose(value, [found.index(c) for c in out])
    x, first = _alone(b, op.inputs[0], labels[0], labels[1] + out)
    y, second = _alone(b, op.inputs[1], labels[1], first + out)
    x, first = _without_ones(b, x, first, y, second)
    y, second = _without_ones(b, y, second, x, first)
    common = [c for c in first if c in second]
    batch, contract = [c for c in common if c in out], [c for c in common if c not in out]
    value = product(
        b,
        x,
        y,
        ([first.index(c) for c in contract], [second.index(c) for c in contract]),
        ([first.index(c) for c in batch], [second.index(c) for c in batch]),
    )
    found = [*batch, *(c for c in first if c not in common), *(c for c in second if c not in common)]
    return b.transpose(value, [found.index(c) for c in out])


def _letters(b: TfBuilder, parts: list[str], out: str, ranks: list[int]) -> tuple[list[str], str]:
    """The labels of every operand and of the result; `...` stands for as many fresh letters as dimensions are left."""
    used = set("".join(parts) + out)
    free = [c for c in string.ascii_letters if c not in used]
    widths = [rank - len(p.replace("...", "")) for p, rank in zip(parts, ranks, strict=True)]
    for p, width in zip(parts, widths, strict=True):
        if width < 0 or (width and "..." not in p):
            b.unsupported("equation", f"the labels {p} do not fit a tensor of rank {len(p) + width}")
    most = max((w for w, p in zip(widths, parts, strict=True) if "..." in p), default=0)
    if most > len(free):
        b.unsupported("equation", "the equation has too many dimensions")
    filled = [p.replace("...", "".join(free[most - w : most])) for p, w in zip(parts, widths, strict=True)]
    target = out.replace("...", "".join(free[:most]))
    if any(target.count(c) > 1 or not any(c in p for p in filled) for c in target):
        b.unsupported("equation", f"the labels {out} of the result are repeated or not known")
    return filled, target


def _alone(b: TfBuilder, value: Value, labels: str, wanted: str) -> tuple[Value, str]:
    """The operand with every label once, summed over those that nothing else wants."""
    sizes = b.sizes(value)
    for d, c in enumerate(labels):
        first = labels.index(c)
        if first < d:
            here = b.compare(b.iota(sizes, first, I32), ComparisonDirection.EQ, b.iota(sizes, d, I32))
            value = b.select(here, value, b.zeros(sizes, b.dtype(value)))
    kept = [d for d, c in enumerate(labels) if c in wanted and labels.index(c) == d]
    summed = [d for d in range(len(labels)) if d not in kept]
    return b.sum(value, summed) if summed else value, "".join(labels[d] for d in kept)


def _without_ones(b: TfBuilder, x: Value, labels: str, y: Value, others: str) -> tuple[Value, str]:
    """Dimensions of size 1 whose label is larger in the other operand broadcast: they are left out."""
    sizes = b.sizes(x)
    drop = [d for d, c in enumerate(labels) if sizes[d] == 1 and c in others and b.dims(y)[others.index(c)] != 1]
    if not drop:
        return x, labels
    kept: list[Size] = [n for d, n in enumerate(sizes) if d not in drop]
    return b.reshape_to(x, kept), "".join(c for d, c in enumerate(labels) if d not in drop)


# ---------------------------------------------------------------------------------------------- bias


@lowering(tf.BiasAddOp, tf.BiasAddV1Op)
def bias_add(op: tf.BiasBase, b: TfBuilder) -> Value:
    axis = op.channels()
    if axis == b.rank(op.value) - 1:
        return b.binary(e.AddOp, op.value, op.bias)
    return b.add(op.value, b.broadcast_to(op.bias, b.sizes(op.value), (axis,)))


@lowering(tf.BiasAddGradOp)
def bias_add_grad(op: tf.BiasAddGradOp, b: TfBuilder) -> Value:
    rank = b.rank(op.out_backprop)
    axis = 1 if op.data_format.startswith("NC") else rank - 1
    return b.sum(op.out_backprop, [d for d in range(rank) if d != axis])
