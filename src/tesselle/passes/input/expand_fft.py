"""expand-fft: stablehlo.fft becomes matrix products with constant matrices of roots of unity.

A complex tensor [..., n] travels as a real one [rows, 2, n], real parts before imaginary ones. A transform along the
last axis is then

    n <= 32            x[r, c, j] · W[c, j, d, k]                                  one product
    n = p q            p-point transforms over the rows of x as a p × q matrix, a product with exp(-2 pi i j k / n),
                       q-point transforms (which divide again), a transpose        the four-step method
    n with a prime     as a convolution with a chirp, by transforms of a length    Bluestein's algorithm
    factor > 64        with small factors

Other axes are brought to the end. The largest constant is of 128 × 128 numbers, whatever the length. Angles are reduced
as integers and evaluated in double precision, so that every entry is correctly rounded but for the last place.

Sources: Gentleman and Sande, "Fast Fourier Transforms: for fun and profit" (1966), and Bailey, "FFTs in external or
hierarchical memory" (1990), for the four-step method; Bluestein, "A linear filtering approach to the computation of
the discrete Fourier transform" (1970).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tesselle.dialects.core.tensor import CastOp, tensor_type
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import FftType
from tesselle.dialects.stablehlo.linear_algebra import FftOp
from tesselle.ir.core import Op, Value
from tesselle.ir.passes import Pass, register_pass
from tesselle.ir.rewrite import Rewriter, pattern
from tesselle.ir.types import Dim, TensorType
from tesselle.passes.input.stablehlo_builder import Array, StablehloBuilder, expand
from tesselle.support.dtypes import DType

STEP = 32
"""Points of a step at which a matrix product is still worth its flops, for one pass over memory fewer."""

DIRECT = 64
"""Longest transform that is one matrix product where it cannot be divided."""


@register_pass("expand-fft")
@dataclass(frozen=True)
class ExpandFft(Pass):
    """Replace every stablehlo.fft."""

    def run(self, module: Op) -> None:
        for op in [op for op in module.walk() if isinstance(op, FftOp)]:
            expand(op, fft_by_matrices)


@pattern
def fft_by_matrices(op: FftOp, rw: Rewriter) -> Value:
    """fft(x) -> dot_general(x, constant) …"""
    b, t = StablehloBuilder.of(rw), tensor_type(op.operand)
    batch = t.rank - len(op.fft_length)
    if None in t.shape[batch:]:
        # What is transformed must be as long as the operation says: it is checked when the program runs.
        lengths = list(op.fft_length)
        if op.fft_type is FftType.IRFFT and lengths[-1]:
            lengths[-1] = lengths[-1] // 2 + 1
        op.set_operand(0, b.insert(CastOp(op.operand, t.with_shape((*t.shape[:batch], *lengths)))).result)
    out, wanted = _Expansion(b, op).result(), tensor_type(op.result)
    return out if out.type == wanted else b.insert(CastOp(out, wanted)).result


# ---------------------------------------------------------------------------------------------- tables


def roots(numerators: Array, n: int, sign: int) -> Array:
    """exp(sign 2 pi i m / n) for integers m, exact where the angle is a multiple of a right angle."""
    m = np.asarray(numerators, np.int64) % n
    # Cosine and sine of angles up to pi/4 only: what remains of the turn are signs and an exchange.
    eighths = 8 * m
    octant = eighths // n
    inside = np.where(octant % 2 == 0, eighths - octant * n, (octant + 1) * n - eighths) * (2 * math.pi / (8 * n))
    c, s = np.cos(inside), np.sin(inside)
    swap = (octant % 4 == 1) | (octant % 4 == 2)
    x, y = np.where(swap, s, c), np.where(swap, c, s)
    x = np.where((octant >= 2) & (octant < 6), -x, x)
    y = np.where(octant >= 4, -y, y)
    return x + sign * 1j * y


def dft_matrix(n: int, sign: int) -> Array:
    """W[j, k] = exp(sign 2 pi i j k / n)."""
    j = np.arange(n)
    return roots(np.outer(j, j), n, sign)


def as_real(matrix: Array) -> Array:
    """R[c, j, d, k], with which (re x, im x)[c, j] gives (re y, im y)[d, k] of y[k] = sum of x[j] matrix[j, k]."""
    re, im = matrix.real, matrix.imag
    return np.stack([np.stack([re, im], 1), np.stack([-im, re], 1)])


def split(n: int) -> int:
    """The number of points of the first step: the divisor of at most DIRECT that balances the steps; 1 for none."""
    steps = math.ceil(math.log(n, STEP))
    ideal = n ** (1 / steps)
    divisors = [d for d in range(2, DIRECT + 1) if n % d == 0]
    return min(divisors, key=lambda d: abs(math.log(d / ideal)), default=1)


def smooth_length(least: int) -> int:
    """The shortest length from `least` on without prime factors above 5."""
    best = 1 << (least - 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            two = three << max(0, (-(-least // three) - 1).bit_length())
            best = min(best, two)
            three *= 3
        five *= 5
    return best


def product(dims: Sequence[Dim]) -> Dim:
    """The product of sizes; open when one of them is."""
    known = [n for n in dims if n is not None]
    return math.prod(known) if len(known) == len(dims) else None


# ---------------------------------------------------------------------------------------------- expansion


_Transform = Callable[[Value], Value]


class _Expansion:
    def __init__(self, b: StablehloBuilder, op: FftOp) -> None:
        self.b = b
        self.op = op
        self.real: DType = tensor_type(op.operand).dtype.element

    def constant(self, array: Array) -> Value:
        return self.b.constant(array.astype(self.real.numpy))

    def result(self) -> Value:
        """The transform of the operand."""
        op, b = self.op, self.b
        t = tensor_type(op.result)
        inferred = next(iter(op.infer() or ()), None)
        if t.shape.count(None) and isinstance(inferred, TensorType):
            t = inferred
        if 0 in t.shape:
            return b.full(0, t.static_shape, t.dtype) if t.is_static else self.empty(t)
        batch = t.rank - len(op.fft_length)
        if t.shape.count(None) < 2:
            return self.transformed(op.operand)
        # What is left open by reshapes is one dimension at most.
        rows = b.reshape(op.operand, (None, *b.dims(op.operand)[batch:]))
        out = self.transformed(rows)
        return b.reshape_to(out, [*b.sizes(op.operand)[:batch], *b.sizes(out)[1:]])

    def empty(self, t: TensorType) -> Value:
        """A tensor of type `t`, in which there is nothing, for a dimension is zero."""
        b = self.b
        sizes = [*b.sizes(self.op.operand)[: t.rank - len(self.op.fft_length)], *t.shape[-len(self.op.fft_length) :]]
        return b.reshape_to(b.full(0, (0,), t.dtype), [n for n in sizes if n is not None])

    def transformed(self, x: Value) -> Value:
        """The transform of `x` along its last axes."""
        lengths, kind = self.op.fft_length, self.op.fft_type
        rank = tensor_type(x).rank
        axes = list(range(rank - len(lengths), rank))
        if kind is FftType.RFFT:
            x = self.along(x, axes[-1], lambda v: self.forward_real(v, lengths[-1]))
            return self.complex_axes(x, axes[:-1], -1)
        if kind is FftType.IRFFT:
            x = self.complex_axes(x, axes[:-1], 1)
            return self.along(x, axes[-1], lambda v: self.inverse_real(v, lengths[-1]))
        return self.complex_axes(x, axes, -1 if kind is FftType.FFT else 1)

    # ------------------------------------------------------------------------------------------ forms

    def complex_axes(self, x: Value, axes: Sequence[int], sign: int) -> Value:
        for axis in reversed(axes):
            if self.b.size(x, axis) > 1:
                x = self.along(x, axis, lambda v: self.complex_rows(v, sign))
        return x

    def along(self, x: Value, axis: int, transform: _Transform) -> Value:
        """Apply `transform`, from [rows, n] to [rows, m], along an axis."""
        b = self.b
        rank = tensor_type(x).rank
        order = [*(d for d in range(rank) if d != axis), axis]
        moved = b.transpose(x, order)
        outer = b.dims(moved)[:-1]
        rows = b.reshape(moved, (product(outer), b.size(moved, -1)))
        out = transform(rows)
        out = b.reshape(out, (*outer, b.size(out, -1)))
        return b.transpose(out, [order.index(d) for d in range(rank)])

    def to_planes(self, x: Value) -> Value:
        """Complex [rows, n] as real [rows, 2, n]."""
        b = self.b
        rows, n = b.dims(x)
        parts = [b.reshape(b.op(cls, x), (rows, 1, n)) for cls in (e.RealOp, e.ImagOp)]
        return b.concatenate(parts, 1)

    def from_planes(self, x: Value) -> Value:
        """Real [rows, 2, n] as complex [rows, n]."""
        b = self.b
        rows, _, n = b.dims(x)
        re, im = (b.reshape(b.slice(x, 1, c, c + 1), (rows, n)) for c in (0, 1))
        return b.op(e.ComplexOp, re, im)

    # ------------------------------------------------------------------------------------------ the four kinds

    def complex_rows(self, x: Value, sign: int) -> Value:
        """Forward (sign -1) or inverse transform of complex rows."""
        n = self.b.size(x, 1)
        return self.from_planes(self.transform(self.to_planes(x), sign, 1.0 if sign < 0 else 1 / n))

    def forward_real(self, x: Value, n: int) -> Value:
        """Real [rows, n] -> complex [rows, n / 2 + 1]."""
        b = self.b
        rows, half = b.dims(x)[0], n // 2 + 1
        if n <= STEP:
            w = dft_matrix(n, -1)[:, :half]
            return self.from_planes(b.dot(x, self.constant(np.stack([w.real, w.imag], 1)), ((1,), (0,))))
        planes = self.transform(b.reshape(x, (rows, 1, n)), -1, 1.0)
        return self.from_planes(b.slice(planes, 2, 0, half))

    def inverse_real(self, x: Value, n: int) -> Value:
        """Complex [rows, n / 2 + 1] -> real [rows, n]: the other half is the mirror image's conjugate.

        The imaginary parts at 0 and n / 2, which no real signal has, do not count.
        """
        b = self.b
        rows, half = b.dims(x)[0], b.size(x, 1)
        keep = np.ones((2, half))
        keep[1, 0] = 0
        if n % 2 == 0:
            keep[1, half - 1] = 0
        planes = self.select(keep, self.to_planes(x))
        if n <= STEP:
            w = dft_matrix(n, 1)[:half] / n
            w[1 : (n + 1) // 2] *= 2
            return b.dot(planes, self.constant(np.stack([w.real, -w.imag])), ((1, 2), (0, 1)))
        mirror = b.reverse(b.slice(planes, 2, 1, (n + 1) // 2), 2)
        signs = np.broadcast_to(np.array([[1.0], [-1.0]]), (2, (n - 1) // 2))
        planes = b.concatenate([planes, b.multiply(mirror, self.rows_of(signs, mirror))], 2)
        out = self.transform(planes, 1, 1 / n)
        return b.reshape(b.slice(out, 1, 0, 1), (rows, n))

    def select(self, keep: Array, x: Value) -> Value:
        """x where `keep` is not zero, else 0: also where x is not finite."""
        b = self.b
        condition = b.broadcast_like(b.constant(keep != 0), x, (1, 2))
        return b.select(condition, x, b.broadcast_like(b.full(0, (), self.real), x, ()))

    def rows_of(self, table: Array, x: Value) -> Value:
        """The same table for every row of x."""
        return self.b.broadcast_like(self.constant(table), x, range(1, 1 + table.ndim))

    # ------------------------------------------------------------------------------------------ transforms of planes

    def transform(self, x: Value, sign: int, scale: float) -> Value:
        """scale * DFT of planes [rows, 2, n]; [rows, 1, n] is real. The result is [rows, 2, n]."""
        n = self.b.size(x, 2)
        p = split(n) if n > STEP else 1
        if p not in (1, n):
            return self.four_step(x, p, sign, scale)
        return self.direct(x, sign, scale) if n <= DIRECT else self.bluestein(x, sign, scale)

    def matrix(self, n: int, planes: int, sign: int, scale: float) -> Value:
        return self.constant(as_real(dft_matrix(n, sign) * scale)[:planes])

    def direct(self, x: Value, sign: int, scale: float) -> Value:
        planes, n = self.b.size(x, 1), self.b.size(x, 2)
        return self.b.dot(x, self.matrix(n, planes, sign, scale), ((1, 2), (0, 1)))

    def four_step(self, x: Value, p: int, sign: int, scale: float) -> Value:
        """With j = q j1 + j2 and k = k1 + p k2:
        y[k] = sum over j2 of w(q, j2 k2) w(n, j2 k1) sum over j1 of w(p, j1 k1) x[j].
        """
        b = self.b
        rows, planes, n = b.dims(x)[0], b.size(x, 1), b.size(x, 2)
        q = n // p
        first = b.dot(b.reshape(x, (rows, planes, p, q)), self.matrix(p, planes, sign, scale), ((1, 2), (0, 1)))
        # Now [rows, j2, c, k1]; the factors are w(n, j2 k1).
        turned = self.rotate(first, roots(np.outer(np.arange(q), np.arange(p)), n, sign))
        inner = b.reshape(b.transpose(turned, (0, 3, 2, 1)), (product((rows, p)), 2, q))
        second = b.reshape(self.transform(inner, sign, 1.0), (rows, p, 2, q))
        return b.reshape(b.transpose(second, (0, 2, 3, 1)), (rows, 2, n))

    def rotate(self, x: Value, factors: Array) -> Value:
        """x[r, j, c, k] times the complex factors[j, k]."""
        b = self.b
        straight = np.stack([factors.real, factors.real], 1)
        crossed = np.stack([-factors.imag, factors.imag], 1)
        swapped = b.reverse(x, 2)
        return b.add(b.multiply(x, self.rows_of(straight, x)), b.multiply(swapped, self.rows_of(crossed, x)))

    def bluestein(self, x: Value, sign: int, scale: float) -> Value:
        """With jk = (j² + k² - (k - j)²) / 2: y[k] = c[k] sum over j of (x[j] c[j]) conj(c)[k - j], c = w(2 n, j²)."""
        b = self.b
        rows, planes, n = b.dims(x)[0], b.size(x, 1), b.size(x, 2)
        m = smooth_length(2 * n - 1)
        j = np.arange(n, dtype=object)
        chirp = roots(np.array(j * j % (2 * n), np.int64), 2 * n, sign)
        kernel = np.zeros(m, np.complex128)
        kernel[:n] = chirp.conj()
        kernel[m - n + 1 :] = chirp.conj()[:0:-1]
        if planes == 1:
            x = b.pad(x, 1, 1)
        turned = b.reshape(self.rotate(b.reshape(x, (rows, 1, 2, n)), chirp[None]), (rows, 2, n))
        spectrum = self.transform(b.pad(turned, 2, m - n), -1, 1.0)
        product = self.rotate(b.reshape(spectrum, (rows, 1, 2, m)), np.fft.fft(kernel)[None] / m)
        back = b.slice(self.transform(b.reshape(product, (rows, 2, m)), 1, 1.0), 2, 0, n)
        out = self.rotate(b.reshape(back, (rows, 1, 2, n)), chirp[None] * scale)
        return b.reshape(out, (rows, 2, n))
