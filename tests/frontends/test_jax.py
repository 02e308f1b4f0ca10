"""Lowered and exported functions of JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tesselle as ts
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.frontends import import_program
from tesselle.frontends.jax import import_jax, is_jax_program
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import F32, I32

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
export = pytest.importorskip("jax.export")

SPEC = jax.ShapeDtypeStruct
WEIGHTS = np.random.default_rng(0).normal(size=(50, 40)).astype(np.float32)
ARGUMENTS = ({"b": SPEC((40,), np.float32), "unused": SPEC((3,), np.int32)}, SPEC((2, 50), np.float32))


def model(p: Any, x: Any) -> Any:
    return x @ WEIGHTS + p["b"]


def main_of(module: ModuleOp) -> FuncOp:
    main = module.lookup("main")
    assert isinstance(main, FuncOp)
    return main


def constants_of(module: ModuleOp) -> list[Any]:
    return [op.value.array for op in module.walk() if isinstance(op, ConstantOp)]


@pytest.mark.parametrize("kind", ["lowered", "exported"])
def test_weights_and_unused_arguments(kind: str) -> None:
    jitted = jax.jit(model)
    source = jitted.lower(*ARGUMENTS) if kind == "lowered" else export.export(jitted)(*ARGUMENTS)
    assert is_jax_program(source)
    module = import_program(source)
    inputs = main_of(module).function_type.inputs
    assert inputs == (TensorType((40,), F32), TensorType((3,), I32), TensorType((2, 50), F32))
    (weights,) = constants_of(module)
    assert not weights.flags.writeable
    np.testing.assert_array_equal(weights, WEIGHTS)


@pytest.mark.parametrize(
    "name", ["bfloat16", "bool_", "int8", "int4", "complex64", "float8_e4m3fn", "float16", "uint32", "float64"]
)
def test_constants_of_every_kind(name: str) -> None:
    with jax.enable_x64(True):
        dtype = getattr(jnp, name)
        for array in (
            WEIGHTS.astype(dtype),
            (WEIGHTS > 0).astype(dtype),
            np.ones((50, 40), dtype),
            WEIGHTS[:2].astype(dtype),
        ):
            source = jax.jit(lambda x, a=array: (x, jnp.asarray(a))).lower(SPEC((2,), np.float32))
            (found,) = constants_of(import_jax(source))
            assert found.dtype == array.dtype
            assert found.tobytes() == array.tobytes()


def test_locations_point_into_python() -> None:
    module = import_jax(jax.jit(model).lower(*ARGUMENTS))
    dot = next(op for op in module.walk() if op.name == "stablehlo.dot_general")
    place = dot.location.file_location()
    assert place is not None
    assert place.file == __file__
    assert str(main_of(module).args[0].type) == "tensor<40xf32>"


def test_symbolic_shapes() -> None:
    (batch,) = export.symbolic_shape("b")
    exported = export.export(jax.jit(lambda x, y: x * 2))(SPEC((batch, 3), np.float32), SPEC((batch,), np.int32))
    module = import_jax(exported)
    assert main_of(module).function_type.inputs[0] == TensorType((None, 3), F32)


def test_other_objects() -> None:
    assert not is_jax_program("text")
    with pytest.raises(TypeError, match=r"expected a jax\.stages\.Lowered"):
        import_jax(jax.jit(model))


def test_programs_with_shardings() -> None:
    mesh = jax.sharding.Mesh(np.array(jax.devices("cpu")[:1]), ("x",))
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x", None))

    def f(x: jax.Array) -> jax.Array:
        x = jax.lax.with_sharding_constraint(jnp.sin(x), rows)
        return jax.lax.scan(lambda c, row: (jax.lax.with_sharding_constraint(c + row, rows), None), x, x)[0]

    x = np.arange(12, dtype=np.float32).reshape(4, 3)[:, None]
    lowered = jax.jit(f).lower(x)
    for source in (lowered, lowered.as_text(), jax.export.export(jax.jit(f))(x)):
        found = ts.load(ts.compile(source))["main"](x)
        np.testing.assert_allclose(found, f(x), rtol=1e-6)
