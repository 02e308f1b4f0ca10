"""complex: making and taking apart."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.core import complex as c
from tesselle.reference.registry import Array, element_dtype, semantics


@semantics(c.CreateOp)
def create(op: c.CreateOp, real: Array, imaginary: Array) -> Array:
    out = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), element_dtype(op.result.type).numpy)
    out.real, out.imag = real, imaginary
    return out


@semantics(c.ReOp)
def re(op: c.ReOp, x: Array) -> Array:
    return np.ascontiguousarray(x.real).reshape(x.shape)


@semantics(c.ImOp)
def im(op: c.ImOp, x: Array) -> Array:
    return np.ascontiguousarray(x.imag).reshape(x.shape)
