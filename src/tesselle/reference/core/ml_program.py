"""Variables: the interpreter remembers what was stored."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.core.ml_program import GlobalLoadConstOp, GlobalLoadOp, GlobalOp, GlobalStoreOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.symbols import lookup
from tesselle.ir.types import TensorType
from tesselle.reference.registry import Array, RegionRunner, region_semantics
from tesselle.support.diagnostics import Unsupported


@region_semantics(GlobalLoadOp, GlobalLoadConstOp)
def load(op: GlobalLoadOp | GlobalLoadConstOp, run: RegionRunner) -> list[Array]:
    name = op.global_.root
    if name not in run.variables:
        variable = lookup(op, op.global_)
        assert isinstance(variable, GlobalOp)
        run.variables[name] = _first_value(variable)
    return [run.variables[name]]


def _first_value(variable: GlobalOp) -> Array:
    """The value; without one zeros, of size 0 where the size is not known."""
    if isinstance(variable.value, DenseElements):
        return variable.value.array
    t = variable.type
    if not isinstance(t, TensorType) or variable.value is not None:
        raise Unsupported(f"@{variable.sym_name} is no tensor of known elements", variable.location, variable.name)
    return np.zeros([d or 0 for d in t.shape], t.dtype.numpy)


@region_semantics(GlobalStoreOp)
def store(op: GlobalStoreOp, run: RegionRunner, value: Array) -> list[Array]:
    run.variables[op.global_.root] = value
    return []
