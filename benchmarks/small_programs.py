"""Thirty programs of one or a few operations, as JAX's tests of its primitives lower to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class SmallProgram:
    name: str
    function: Callable[..., Any]
    arguments: tuple[Array, ...]

    def lower(self) -> jax.stages.Lowered:
        return jax.jit(self.function).lower(*self.arguments)


def _f32(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _i32(*shape: int) -> Array:
    return np.random.default_rng(0).integers(-50, 50, shape).astype(np.int32)


def _scan(x: Any) -> Any:
    return lax.scan(lambda c, row: (c * 0.5 + row, c), jnp.zeros(x.shape[1], x.dtype), x)


_INDICES = np.array([[0], [2], [5], [9]], np.int32)
_GATHER = lax.GatherDimensionNumbers(offset_dims=(1,), collapsed_slice_dims=(0,), start_index_map=(0,))
_SCATTER = lax.ScatterDimensionNumbers(
    update_window_dims=(1,), inserted_window_dims=(0,), scatter_dims_to_operand_dims=(0,)
)

SMALL_PROGRAMS = (
    SmallProgram("add", lax.add, (_f32(20, 20), _f32(20, 20))),
    SmallProgram("div_i32", lax.div, (_i32(20, 20), abs(_i32(20, 20)) + 1)),
    SmallProgram("exp", lax.exp, (_f32(20, 20),)),
    SmallProgram("erf", lax.erf, (_f32(20, 20),)),
    SmallProgram("sin_bf16", lax.sin, (_f32(20, 20).astype(jnp.bfloat16),)),
    SmallProgram("pow", lax.pow, (abs(_f32(20, 20)), _f32(20, 20))),
    SmallProgram("atan2", lax.atan2, (_f32(20, 20), _f32(20, 20))),
    SmallProgram("complex_mul", lax.mul, (_f32(20, 20) + 1j * _f32(20, 20), _f32(20, 20) - 2j)),
    SmallProgram("shift", lax.shift_right_logical, (_i32(20, 20), abs(_i32(20, 20)))),
    SmallProgram("population_count", lax.population_count, (_i32(20, 20),)),
    SmallProgram("lt", lax.lt, (_f32(3, 5), _f32(3, 5))),
    SmallProgram("select", lax.select, (_f32(3, 5) > 0, _f32(3, 5), _f32(3, 5) * 2)),
    SmallProgram("clamp", lax.clamp, (_f32(), _f32(2, 3), _f32() + 1)),
    SmallProgram("convert", lambda x: lax.convert_element_type(x, jnp.int8), (_f32(100, 100),)),
    SmallProgram("bitcast", lambda x: lax.bitcast_convert_type(x, jnp.int32), (_f32(2, 3),)),
    SmallProgram("broadcast", lambda x: lax.broadcast_in_dim(x, (2, 3, 4), (1,)), (_f32(3),)),
    SmallProgram("iota", lambda: lax.broadcasted_iota(jnp.int16, (4, 8, 1, 1), 1), ()),
    SmallProgram("concatenate", lambda x, y: lax.concatenate((x, y), 1), (_f32(2, 3), _f32(2, 5))),
    SmallProgram("pad", lambda x: lax.pad(x, jnp.float32(0), ((1, 2, 1), (-1, 0, 0))), (_f32(2, 3),)),
    SmallProgram("transpose", lambda x: lax.transpose(x, (2, 0, 1)), (_f32(3, 4, 5),)),
    SmallProgram("slice", lambda x: lax.slice(x, (1, 1), (4, 5), (1, 2)), (_f32(5, 6),)),
    SmallProgram("dynamic_slice", lambda x, i: lax.dynamic_slice(x, (i,), (3,)), (_f32(8), np.array(2, np.int32))),
    SmallProgram("gather", lambda x, i: lax.gather(x, i, _GATHER, (1, 5)), (_f32(10, 5), _INDICES)),
    SmallProgram(
        "scatter_add", lambda x, i, u: lax.scatter_add(x, i, u, _SCATTER), (_f32(10, 5), _INDICES, _f32(4, 5))
    ),
    SmallProgram("reduce_sum", lambda x: jnp.sum(x, axis=1), (_f32(8, 40),)),
    SmallProgram("argmax", lambda x: lax.argmax(x, 1, jnp.int32), (_f32(8, 40),)),
    SmallProgram("cumsum", lambda x: lax.cumsum(x, 0), (_f32(8, 9),)),
    SmallProgram("sort", lambda x: lax.sort(x, dimension=0), (_f32(5, 7),)),
    SmallProgram("dot_general", lambda x, y: lax.dot_general(x, y, (((1,), (0,)), ((), ()))), (_f32(4, 3), _f32(3, 6))),
    SmallProgram(
        "conv", lambda x, w: lax.conv_general_dilated(x, w, (1, 1), "SAME"), (_f32(2, 3, 9, 10), _f32(3, 3, 4, 5))
    ),
    SmallProgram(
        "max_pool", lambda x: lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2), (1, 1, 1), "VALID"), (_f32(3, 5, 6),)
    ),
    SmallProgram("scan", _scan, (_f32(6, 8),)),
)
