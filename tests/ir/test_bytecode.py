"""Bytecode of jaxlib is read as the same module; portable artifacts of every version as jaxlib upgrades them."""

from __future__ import annotations

import io
import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tesselle.dialects.stablehlo.elementwise import BinaryOp, TranscendentalOp, UnaryOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.ir.quantized import quantized
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.support.dtypes import F32, I8, UI8, Kind

ir = pytest.importorskip("jaxlib.mlir.ir")
stablehlo = pytest.importorskip("jaxlib.mlir.dialects.stablehlo")

from tests.ir.test_text_jaxlib import DATA, FUNCTIONS, canonical, context, jax  # noqa: E402  # it needs jaxlib too

FORMATS = range(7)
"""Every version of the format."""

VERSIONS = [f"0.{i}.0" for i in range(9, 21)] + [f"1.{i}.0" for i in range(18)]
"""Every version of VHLO since 0.9.0, where compatibility begins."""

TEXTS = [
    "stablehlo_generic",
    "stablehlo_pretty",
    "stablehlo_more",
    "chlo",
    "jax_lstm",
    "jax_sort",
    "jax_softmax_locations",
]


def bytecode(module: Any, version: int | None = None) -> bytes:
    file = io.BytesIO()
    module.operation.write_bytecode(file, desired_version=version)
    return file.getvalue()


def without_defaults(generic: str) -> str:
    return re.sub(r"(indices_are_sorted|unique_indices) = false(, )?", "", generic).replace(", }", "}")


@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("name", TEXTS)
def test_every_version_of_the_format(name: str, version: int) -> None:
    text = (DATA / f"{name}.mlir").read_text()
    with context():
        data = bytecode(ir.Module.parse(text), version)
    module = parse_bytecode(data, name)
    verify(module)
    assert canonical(print_op(module)) == canonical(text)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"linalg"}))
def test_lowered_functions(name: str) -> None:
    function, arguments = FUNCTIONS[name]
    lowered = jax.jit(function).lower(*arguments)
    text = lowered.as_text(debug_info=True)
    module = parse_bytecode(bytecode(lowered.compiler_ir("stablehlo")), name)
    verify(module)
    assert canonical(print_op(module)) == canonical(text)
    assert located(print_op(module, locations=True)) == located(print_op(parse_module(text), locations=True))


def located(text: str) -> list[str]:
    """The locations of operations, in order; what has none gets its place in the text where there is one."""
    return re.findall(r"loc\(.*\)$", re.sub(r'loc\("<text>":\d+:\d+\)', "loc(unknown)", text), re.MULTILINE)


def one_operation_modules(text: str) -> Iterator[tuple[str, str]]:
    """A module for every operation of the first functions' bodies, its operands arguments of a function."""
    with context():
        module = ir.Module.parse(text)  # its operations live as long as it does
        functions = [op for op in module.body.operations if op.operation.name == "func.func"]
        for f in functions:
            others = "\n".join(g.get_asm() for g in functions if g is not f)
            for op in f.regions[0].blocks[0].operations if f.regions[0].blocks else ():
                operation = op.operation
                if operation.name.startswith("func."):
                    continue
                arguments = {v.get_name(): f"{v.get_name()}: {v.type}" for v in operation.operands}
                # VHLO has no units.
                asm = operation.get_asm(print_generic_op_form=True, use_local_scope=True).replace(" {foo}", "")
                yield operation.name, f"{others}\nfunc.func @one({', '.join(arguments.values())}) {{\n{asm}\nreturn }}"


def elementwise_text() -> str:
    """Every elementwise operation that is declared with one or two operands, and with an accuracy where it has one."""
    lines: list[str] = []
    for name, cls in OPS.items():
        kind = "i1" if name in ("stablehlo.and", "stablehlo.not") else "f32"
        if not name.startswith("stablehlo.") or not issubclass(cls, UnaryOp | BinaryOp):
            continue
        if Kind.FLOAT not in cls.KINDS and kind == "f32":
            kind = "i32"
        operands = f"%{kind}" if issubclass(cls, UnaryOp) else f"%{kind}, %{kind}"
        lines.append(f"%{len(lines)} = {name} {operands} : tensor<3x{kind}>")
        if issubclass(cls, TranscendentalOp):
            for mode in (
                "ulps = 3, mode = #stablehlo.result_accuracy_mode<TOLERANCE>",
                "mode = #stablehlo.result_accuracy_mode<HIGHEST>",
            ):
                accuracy = f"{{result_accuracy = #stablehlo.result_accuracy<{mode}>}}"
                lines.append(f"%{len(lines)} = {name} {operands} {accuracy} : tensor<3x{kind}>")
    body = "\n".join(lines)
    return f"func.func @elementwise(%f32: tensor<3xf32>, %i32: tensor<3xi32>, %i1: tensor<3xi1>) {{\n{body}\nreturn }}"


def test_every_version_of_vhlo() -> None:
    """What jaxlib makes of a portable artifact is what is read from it, for every operation and version."""
    from jaxlib.mlir._mlir_libs import _stablehlo

    compared = 0
    names: set[str] = set()
    names_of_texts = ("stablehlo_generic", "stablehlo_pretty", "stablehlo_more")
    texts = [*((DATA / f"{name}.mlir").read_text() for name in names_of_texts), elementwise_text()]
    for name, text in [case for source in texts for case in one_operation_modules(source)]:
        seen: set[bytes] = set()
        for version in VERSIONS:
            try:
                data: bytes = _stablehlo.serialize_portable_artifact_str(text, version)
            except ValueError:  # the version does not have what the operation needs
                continue
            payload = data.partition(b"\0")[2]
            if payload in seen:
                continue
            seen.add(payload)
            made = context()
            with made:
                upgraded = stablehlo.deserialize_portable_artifact(made, data)
                expected = without_defaults(upgraded.operation.get_asm(print_generic_op_form=True))
            module = parse_bytecode(data, f"{name} of {version}")
            verify(module)
            assert canonical(print_op(module, generic=True)) == expected
            compared += 1
            names.add(name)
    assert compared > 200
    assert len(names) > 90


@pytest.mark.parametrize("version", ["0.9.0", "0.14.0", "0.17.0", "1.0.0", "1.9.0", "1.17.0"])
@pytest.mark.parametrize(
    "name", ["conv_grad", "scan", "while", "select_and_scatter", "integers", "cond", "rng_bits", "fft"]
)
def test_portable_artifacts(name: str, version: str) -> None:
    from jaxlib.mlir._mlir_libs import _stablehlo

    function, arguments = FUNCTIONS[name]
    text = jax.jit(function).lower(*arguments).as_text()
    data = _stablehlo.serialize_portable_artifact_str(text, version)
    made = context()
    with made:
        expected = canonical(stablehlo.deserialize_portable_artifact(made, data).operation.get_asm())
    module = parse_bytecode(data, name)
    verify(module)
    assert canonical(print_op(module)) == expected


QUANTIZED_VHLO = """module {
vhlo.func_v1 @main(%arg0: !vhlo.tensor_v1<2x!A>, %arg1: !vhlo.tensor_v1<?x!B>) -> (!vhlo.tensor_v1<2x!A>) {
  %0 = "vhlo.constant_v1"() <{value = #vhlo.tensor_v1<dense<[1, 2]> : tensor<2xi8>>}>
    : () -> !vhlo.tensor_v1<2x!A>
  "vhlo.return_v1"(%0) : (!vhlo.tensor_v1<2x!A>) -> ()
} {arg_attrs = #vhlo.array_v1<[]>, res_attrs = #vhlo.array_v1<[]>, sym_visibility = #vhlo.string_v1<"">} }""".replace(
    "!A", "!vhlo.quant_v1<!vhlo.i8_v1:!vhlo.f32_v1, 1.0:3, -127:127, 1>"
).replace("!B", "!vhlo.quant_per_axis_v1<!vhlo.i8_v1:!vhlo.f32_v1, 0, [1.0, 0.1], [3, 4], 0:255, 0>")


def vhlo_context() -> Any:
    """A context that knows VHLO, which is loaded by a pass only."""
    from jaxlib.mlir import passmanager
    from jaxlib.mlir._mlir_libs import _stablehlo

    _stablehlo.register_stablehlo_passes()
    made = context()
    with made:
        passmanager.PassManager.parse("builtin.module(stablehlo-legalize-to-vhlo)").run(
            ir.Module.parse("module {}").operation
        )
    return made


def test_quantized_types_of_vhlo() -> None:
    with vhlo_context():
        data = bytecode(ir.Module.parse(QUANTIZED_VHLO))
    module = parse_bytecode(data)
    verify(module)
    assert print_op(module) == print_op(parse_module(QUANTIZED_VHLO))
    main = next(iter(module.regions[0].block))
    t = main.attributes["function_type"]
    first = quantized(I8, F32, (1.0,), (3,), storage_min=-127, storage_max=127)
    second = quantized(UI8, F32, (1.0, 0.1), (3, 4), axis=0)
    assert t.inputs == (TensorType((2,), first), TensorType((None,), second))  # type: ignore[union-attr] # of a function


def test_vhlo_as_text() -> None:
    """The text of VHLO is upgraded like its bytecode."""
    from jaxlib.mlir import passmanager

    for name in ("conv_grad", "scan", "gather", "while", "integers"):
        function, arguments = FUNCTIONS[name]
        text = jax.jit(function).lower(*arguments).as_text()
        with vhlo_context():
            module = ir.Module.parse(text)
            passmanager.PassManager.parse("builtin.module(stablehlo-legalize-to-vhlo)").run(module.operation)
            printed = module.operation.get_asm()
            written = bytecode(module)
        read = parse_module(printed)
        verify(read)
        assert print_op(read) == print_op(parse_bytecode(written))


ELEMENTS = {
    "dense<[-1, 1]> : tensor<2xi2>": [-1, 1],
    "dense<[-8, 7]> : tensor<2xi4>": [-8, 7],
    "dense<[3, 0]> : tensor<2xui2>": [3, 0],
    "dense<[true, false, true, true, true, false, true, false, true]> : tensor<9xi1>": [1, 0, 1, 1, 1, 0, 1, 0, 1],
    "dense<true> : tensor<9xi1>": [1] * 9,
    "dense<[1.5, -0.5]> : tensor<2xf4E2M1FN>": [1.5, -0.5],
    "dense<[1.5, -0.5]> : tensor<2xf6E3M2FN>": [1.5, -0.5],
    "dense<[1.5, -0.5]> : tensor<2xf8E4M3FN>": [1.5, -0.5],
    "dense<[1.0, 2.0]> : tensor<2xf8E8M0FNU>": [1.0, 2.0],
    "dense<[(1.0,2.0), (3.0,4.0)]> : tensor<2xcomplex<f64>>": [1 + 2j, 3 + 4j],
    "sparse<[[0, 1]], [2.5]> : tensor<2x2xf32>": [[0, 2.5], [0, 0]],
    "sparse<[[0], [2]], 3> : tensor<3xi32>": [3, 0, 3],
}


@pytest.mark.parametrize("text", ELEMENTS)
def test_elements(text: str) -> None:
    with context():
        data = bytecode(ir.Module.parse(f"module attributes {{x.y = {text}}} {{}}"))
    for module in (parse_bytecode(data), parse_module(f"module attributes {{x.y = {text}}} {{}}")):
        elements = module.attributes["x.y"]
        assert isinstance(elements, DenseElements)
        expected = np.array(ELEMENTS[text]).astype(elements.type.dtype.numpy)
        assert elements.array.tobytes() == expected.tobytes()


def resource_module(size: int) -> Any:
    """A module with one constant whose elements are a resource."""
    attribute = ir.DenseResourceElementsAttr.get_from_buffer(
        np.arange(size, dtype=np.float32), "weights", ir.RankedTensorType.get([size], ir.F32Type.get()), alignment=64
    )
    module = ir.Module.parse("module { func.func @main() { return } }")
    with ir.InsertionPoint.at_block_begin(module.body.operations[0].regions[0].blocks[0]):
        stablehlo.ConstantOp(attribute)
    return module


def test_resources_are_views_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "weights.mlirbc"
    with context(), ir.Location.unknown():
        path.write_bytes(bytecode(resource_module(1 << 16)))
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    module = parse_bytecode(memoryview(mapped))
    verify(module)
    (constant,) = [op for op in module.walk() if op.name == "stablehlo.constant"]
    elements = constant.attributes["value"]
    assert isinstance(elements, DenseElements)
    assert np.shares_memory(elements.array, np.frombuffer(mapped, np.uint8))
    assert elements.array[-1] == (1 << 16) - 1
    assert elements.array.flags.aligned


def test_producer_without_our_declarations() -> None:
    """Operations that the producer did not know keep their properties in a dictionary."""
    text = '"builtin.module"() ({ "foo.bar"() <{x = 1 : i32}> {y = 2 : i32} : () -> () }) : () -> ()'
    made = ir.Context()
    made.allow_unregistered_dialects = True
    with made:
        data = bytecode(ir.Module.parse(text))
    module = parse_bytecode(data, allow_unregistered=True)
    (op,) = first_block(module)
    assert sorted(op.attributes) == ["x", "y"]


def first_block(op: Op) -> list[Op]:
    return list(op.regions[0].block)


def test_cross_replica_sum() -> None:
    text = """
func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.cross-replica-sum"(%a) {replica_groups = dense<[[0, 1]]> : tensor<1x2xi64>}
    : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}"""
    from jaxlib.mlir._mlir_libs import _stablehlo

    with context():
        data = bytecode(ir.Module.parse(text))
    artifact = _stablehlo.serialize_portable_artifact_str(text, "0.9.0")
    for module in (parse_module(text), parse_bytecode(data), parse_bytecode(artifact)):
        verify(module)
        assert "stablehlo.cross-replica-sum" in [op.name for op in module.walk()]


def test_values_used_before_they_are_defined() -> None:
    text = """
func.func @f(%a: i1) -> tensor<f32> {
  cf.br ^bb1
^bb2:
  return %0 : tensor<f32>
^bb1:
  %0 = stablehlo.constant dense<1.0> : tensor<f32>
  cf.br ^bb2
}"""
    with context():
        data = bytecode(ir.Module.parse(text))
    module = parse_bytecode(data, allow_unregistered=True)
    function = first_block(module)[0]
    _, second, third = function.regions[0].blocks
    assert second.terminator.operands[0] is third.ops[0].results[0]
