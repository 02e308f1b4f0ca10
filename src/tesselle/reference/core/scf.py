"""scf: structured control flow."""

from __future__ import annotations

import numpy as np

from tesselle.dialects.core import scf as s
from tesselle.reference.registry import Array, RegionRunner, region_semantics


@region_semantics(s.ForOp)
def for_loop(op: s.ForOp, runner: RegionRunner, lower: Array, upper: Array, step: Array, *init: Array) -> list[Array]:
    state = list(init)
    for i in range(int(lower), int(upper), int(step)):
        state = runner.run_region(op.body, [np.array(i, np.int64), *state])
    return state


@region_semantics(s.IfOp)
def if_op(op: s.IfOp, runner: RegionRunner, condition: Array) -> list[Array]:
    region = op.then_region if condition else op.else_region
    return [] if region.is_empty else runner.run_region(region, [])


@region_semantics(s.WhileOp)
def while_loop(op: s.WhileOp, runner: RegionRunner, *init: Array) -> list[Array]:
    state = list(init)
    while True:
        condition, *forwarded = runner.run_region(op.before, state)
        if not condition:
            return forwarded
        state = runner.run_region(op.after, forwarded)
