"""Diagonals of matrices: made into matrices, taken out of them, put into them.

Diagonal d of a matrix holds the elements at column - row = d. Several diagonals k[0] … k[1] stand in the rows of one
matrix, the highest first, and each at one end of its row, which `align` names for those above and those below.
"""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.tf import slicing as tf
from tesselle.ir.core import Op, Value
from tesselle.passes.input.stablehlo_expressions import Tensor
from tesselle.passes.input.tf_to_stablehlo.builder import Size, TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering


@dataclass(frozen=True)
class _Diagonals:
    """Diagonals `low` … `high`, in rows of `length` elements, of matrices of `rows` x `columns`."""

    low: int
    high: int
    length: Size
    rows: Size
    columns: Size
    align: str

    @property
    def count(self) -> int:
        return self.high - self.low + 1

    def offset(self, b: TfBuilder, d: Tensor) -> Tensor:
        """Where in their rows the diagonals `d` begin: those aligned to the right behind what they leave free."""
        above, below = self.align.split("_")
        if self.count == 1 or (above, below) == ("LEFT", "LEFT"):
            return d.number(0)
        shape = b.sizes(d.value)
        rows, columns, length = (
            b.tensor(b.broadcast_to(b.value_of(n), shape, ())) for n in (self.rows, self.columns, self.length)
        )
        own = (columns - d.apply(e.MaximumOp, 0)).apply(e.MinimumOp, rows + d.apply(e.MinimumOp, 0))
        free = length - own
        return free.where(d > 0 if above == "RIGHT" else d < 0, 0) if above != below else free


def _k(op: Op, b: TfBuilder, k: Value) -> tuple[int, int]:
    found = b.integers(k, "k", "the numbers of the diagonals")
    low, high = found[0], found[-1]
    if low > high:
        b.unsupported("k", f"diagonal {low} lies above diagonal {high}")
    return low, high


def _longest(b: TfBuilder, low: int, high: int, rows: Size, columns: Size) -> Size:
    """The size of the longest of diagonals."""
    return b.most(b.least(b.plus(rows, min(high, 0)), b.minus(columns, max(low, 0))), 0)


def _spread(b: TfBuilder, diagonals: Value, at: _Diagonals, otherwise: Value) -> Value:
    """out[…, m, n] = diagonals[…, high - (n - m), n - max(n - m, 0) + offset], or `otherwise` between no diagonals."""
    axis = b.rank(diagonals) - (1 if at.count == 1 else 2)
    if at.count > 1:
        sizes = b.sizes(diagonals)
        diagonals = b.reshape_to(diagonals, [*sizes[:axis], b.times(at.length, at.count)])
    shape = [at.rows, at.columns]
    column = b.tensor(b.iota(shape, 1))
    d = column - b.tensor(b.iota(shape, 0))
    place = column - d.apply(e.MaximumOp, 0) + at.offset(b, d)
    if at.count > 1:
        length = b.tensor(b.broadcast_to(b.value_of(at.length), shape, ()))
        place = (d.number(at.high) - d) * length + place
    inside = (d >= at.low) & (d <= at.high)
    flat = b.reshape_to(place.value, [b.times(at.rows, at.columns)])
    sizes = [*b.sizes(diagonals)[:axis], *shape]
    taken = b.reshape_to(b.take(diagonals, flat, axis), sizes)
    here = b.broadcast_to(inside.value, sizes, (axis, axis + 1))
    return b.select(here, taken, otherwise)


def _taken(b: TfBuilder, matrices: Value, at: _Diagonals, padding: Value | None, has_rows: bool) -> Value:
    """out[…, i, j] = matrices[…, p + max(-d, 0), p + max(d, 0)] with d = high - i, p = j - offset; else padding."""
    axis = b.rank(matrices) - 2
    shape = [at.count, at.length]
    d = b.tensor(b.iota(shape, 0)).number(at.high) - b.tensor(b.iota(shape, 0))
    p = b.tensor(b.iota(shape, 1)) - at.offset(b, d)
    row, column = p - d.apply(e.MinimumOp, 0), p + d.apply(e.MaximumOp, 0)
    rows, columns = (b.tensor(b.broadcast_to(b.value_of(n), shape, ())) for n in (at.rows, at.columns))
    flat = b.reshape_to((row * columns + column).value, [b.times(at.length, at.count)])
    batch = b.sizes(matrices)[:axis]
    elements = b.reshape_to(matrices, [*batch, b.times(at.rows, at.columns)])
    sizes = [*batch, *shape]
    found = b.reshape_to(b.take(elements, flat, axis), sizes)
    if padding is not None and at.count > 1:
        inside = (p >= 0) & (row < rows) & (column < columns)
        here = b.broadcast_to(inside.value, sizes, (axis, axis + 1))
        found = b.select(here, found, b.broadcast_to(padding, sizes, ()))
    return found if has_rows else b.reshape_to(found, [*batch, at.length])


@lowering(tf.MatrixDiagOp)
def matrix_diag(op: tf.MatrixDiagOp, b: TfBuilder) -> Value:
    *batch, n = b.sizes(op.diagonal)
    zeros = b.zeros([*batch, n, n], b.dtype(op.diagonal))
    return _spread(b, op.diagonal, _Diagonals(0, 0, n, n, n, "LEFT_LEFT"), zeros)


@lowering(tf.MatrixDiagV3Op)
def matrix_diag_v3(op: tf.MatrixDiagV3Op, b: TfBuilder) -> Value:
    low, high = _k(op, b, op.k)
    sizes = b.sizes(op.diagonal)
    batch, length = sizes[: -1 if low == high else -2], sizes[-1]
    least = (b.plus(length, max(-high, 0)), b.plus(length, max(low, 0)))
    given = b.scalar(op.num_rows), b.scalar(op.num_cols)
    side = b.most(*least)  # of a square matrix, where neither number is given
    rows = _unless_given(b, given[0], _unless_given(b, given[1], side, least[0]), given[0])
    columns = _unless_given(b, given[1], _unless_given(b, given[0], side, least[1]), given[1])
    at = _Diagonals(low, high, length, rows, columns, op.align)
    padding = b.broadcast_to(op.padding_value, [*batch, rows, columns], ())
    return _spread(b, op.diagonal, at, padding)


def _unless_given(b: TfBuilder, number: Size, absent: Size, given: Size) -> Size:
    """`given`, or `absent` where `number` is -1."""
    if isinstance(number, int):
        return absent if number == -1 else given
    return b.choose(b.is_negative(number), absent, given)


@lowering(tf.MatrixDiagPartOp)
def matrix_diag_part(op: tf.MatrixDiagPartOp, b: TfBuilder) -> Value:
    rows, columns = b.sizes(op.input)[-2:]
    at = _Diagonals(0, 0, b.least(rows, columns), rows, columns, "LEFT_LEFT")
    return _taken(b, op.input, at, None, has_rows=False)


@lowering(tf.MatrixDiagPartV3Op)
def matrix_diag_part_v3(op: tf.MatrixDiagPartV3Op, b: TfBuilder) -> Value:
    low, high = _k(op, b, op.k)
    rows, columns = b.sizes(op.input)[-2:]
    at = _Diagonals(low, high, _longest(b, low, high, rows, columns), rows, columns, op.align)
    return _taken(b, op.input, at, op.padding_value, has_rows=low != high)


@lowering(tf.MatrixSetDiagOp)
def matrix_set_diag(op: tf.MatrixSetDiagOp, b: TfBuilder) -> Value:
    rows, columns = b.sizes(op.input)[-2:]
    at = _Diagonals(0, 0, b.size_at(op.diagonal, b.rank(op.diagonal) - 1), rows, columns, "LEFT_LEFT")
    return _spread(b, op.diagonal, at, op.input)


@lowering(tf.MatrixSetDiagV3Op)
def matrix_set_diag_v3(op: tf.MatrixSetDiagV3Op, b: TfBuilder) -> Value:
    low, high = _k(op, b, op.k)
    rows, columns = b.sizes(op.input)[-2:]
    at = _Diagonals(low, high, b.size_at(op.diagonal, b.rank(op.diagonal) - 1), rows, columns, op.align)
    return _spread(b, op.diagonal, at, op.input)
