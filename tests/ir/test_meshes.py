"""Groups of processes said by the axes of a mesh, as text, bytecode and portable artifact that jaxlib writes."""

from __future__ import annotations

import re

import pytest

from tesselle.dialects.stablehlo.mesh import AxisRef, Mesh, MeshAxis, SubAxisInfo, group_table
from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.core import Op
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import ParseError, Unsupported

MESH = Mesh((MeshAxis("x", 2), MeshAxis("y", 4)))


@pytest.mark.parametrize(
    ("axes", "table"),
    [
        ([AxisRef("x")], [[0, 4], [1, 5], [2, 6], [3, 7]]),
        ([AxisRef("y")], [[0, 1, 2, 3], [4, 5, 6, 7]]),
        ([AxisRef("x"), AxisRef("y")], [[0, 1, 2, 3, 4, 5, 6, 7]]),
        ([AxisRef("y"), AxisRef("x")], [[0, 4, 1, 5, 2, 6, 3, 7]]),
        ([AxisRef("y", SubAxisInfo(1, 2))], [[0, 2], [1, 3], [4, 6], [5, 7]]),
        ([AxisRef("y", SubAxisInfo(2, 2))], [[0, 1], [2, 3], [4, 5], [6, 7]]),
        ([AxisRef("y", SubAxisInfo(2, 2)), AxisRef("y", SubAxisInfo(1, 2))], [[0, 2, 1, 3], [4, 6, 5, 7]]),
    ],
)
def test_tables(axes: list[AxisRef], table: list[list[int]]) -> None:
    assert group_table(MESH, tuple(axes)).array.tolist() == table


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ([AxisRef("z")], "no axis"),
        ([AxisRef("y"), AxisRef("y", SubAxisInfo(1, 2))], "named twice"),
        ([AxisRef("y", SubAxisInfo(1, 3))], "do not divide"),
        ([AxisRef("y", SubAxisInfo(4, 2))], "do not divide"),
    ],
)
def test_axes_that_are_none(axes: list[AxisRef], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        group_table(MESH, tuple(axes))


GROUPS = (
    '#stablehlo.replica_group_mesh_axes<mesh = #stablehlo.mesh<axes=[<name = "x", size = 2>, <name = "y", size = 4>],'
    " device_ids=dense<[1, 0, 2, 3, 4, 5, 6, 7]> : tensor<8xi64>>,"
    ' axes = [#stablehlo.axis_ref<name = "x">, #stablehlo.axis_ref<name = "y", sub_axis_info = (1)2>]>'
)
TEXT = """
func.func @main(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.all_reduce"(%a) <{replica_groups = GROUPS,
    channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>, use_global_device_ids}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = stablehlo.add %x, %y : tensor<f32>
    stablehlo.return %s : tensor<f32>
  }) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}""".replace("GROUPS", GROUPS)


def groups(module: Op) -> object:
    verify(module)
    return next(op for op in module.walk() if op.name == "stablehlo.all_reduce").attributes["replica_groups"]


def test_every_form() -> None:
    pytest.importorskip("jaxlib.mlir")
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _stablehlo
    from tests.ir.test_bytecode import bytecode
    from tests.ir.test_text_jaxlib import context

    with context():
        data = bytecode(ir.Module.parse(TEXT))
    artifact = _stablehlo.serialize_portable_artifact_str(TEXT, _stablehlo.get_current_version())
    for module in (parse_module(TEXT), parse_bytecode(data), parse_bytecode(artifact)):
        assert groups(module) == ((1, 2, 4, 6), (0, 3, 5, 7))


def test_meshes_as_text() -> None:
    for text in (
        '#stablehlo.mesh<axes=[<name = "x", size = 2>]>',
        '#stablehlo.mesh<axes=[<name = "x", size = 2>], device_ids=dense<[1, 0]> : tensor<2xi64>>',
        '#stablehlo.mesh_axis<name = "x", size = 2>',
        '#stablehlo.axis_ref<name = "x", sub_axis_info = (1)2>',
    ):
        assert text in print_op(parse_module(f"module attributes {{test.mesh = {text}}} {{}}"))


def test_malformed_groups() -> None:
    with pytest.raises(ParseError, match='no axis "z"'):
        parse_module(TEXT.replace('ref<name = "x"', 'ref<name = "z"'))


def test_meshes_that_symbols_name() -> None:
    with pytest.raises(Unsupported, match="a mesh that a symbol names"):
        parse_module(re.sub(r"mesh = #stablehlo\.mesh<.*tensor<8xi64>>", "mesh = @mesh", TEXT))
