"""host.vm as data: the table's stability, the encoding's round trip, and what the encoder refuses."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tesselle.artifact import vm_isa
from tesselle.artifact.vm_encoding import decode, encode
from tesselle.artifact.vm_isa import INSTRUCTIONS, OperandKind, RegisterType
from tesselle.artifact.vm_module import (
    Binding,
    FunctionBuilder,
    VmFunction,
    VmGlobal,
    VmInstruction,
    VmLabel,
    VmModule,
    disassemble,
)
from tesselle.support.diagnostics import ArtifactError
from tesselle.support.dtypes import F32

GOLDEN = Path(__file__).parent / "opcodes.txt"


def table_text() -> str:
    """Everything about the instruction set that artifacts depend on."""
    rows = [
        f"{i.opcode:#05x} {i.name} {[p.kind.name for p in i.results]} {[p.kind.name for p in i.operands]}"
        for i in INSTRUCTIONS
    ]
    codes = [f"dtype {code} {dtype.name}" for dtype, code in vm_isa.DTYPE_CODES.items()]
    return "\n".join(rows + codes) + "\n"


def test_opcodes_never_change() -> None:
    """Artifacts hold these numbers. Adding a row adds a line to opcodes.txt; no line there may ever change."""
    assert table_text() == GOLDEN.read_text()


def test_names_and_opcodes_are_distinct() -> None:
    assert len(vm_isa.BY_NAME) == len(vm_isa.BY_OPCODE) == len(INSTRUCTIONS)


def every_instruction() -> VmModule:
    """A module that has each instruction once (not one that would run)."""
    types = tuple(RegisterType) * 2
    samples: dict[OperandKind, Any] = {
        OperandKind.IMM_I32: -5,
        OperandKind.IMM_I64: -(1 << 40),
        OperandKind.IMM_F32: 1.5,
        OperandKind.IMM_F64: 0.1,
        OperandKind.DTYPE: F32,
        OperandKind.LABEL: "here",
        OperandKind.FUNCTION: "f",
        OperandKind.STRING: 'text "with" quotes\n',
        OperandKind.GLOBAL: "g",
        OperandKind.REGISTERS: (0, 4),
        OperandKind.I64_LIST: (1, 6),
        OperandKind.REF_LIST: (4,),
        OperandKind.BINDINGS: (Binding(0, 1, 6, 1), Binding(1, 6, 1, 2)),
    }

    def sample(kind: OperandKind) -> Any:
        return kind.value if kind.is_register else samples[kind]

    code: list[VmInstruction | VmLabel] = [VmLabel("here")]
    for i in INSTRUCTIONS:
        operands = tuple(sample(p.kind) for p in i.operands)
        code.append(VmInstruction(i.name, operands, tuple(sample(p.kind) for p in i.results)))
    return VmModule(
        (VmFunction("f", 2, types, (RegisterType.F32,), tuple(code)),), (VmGlobal("g", RegisterType.I64, -7),)
    )


def test_round_trip_of_every_instruction() -> None:
    module = every_instruction()
    data = encode(module)
    again = decode(data)
    assert encode(again) == data
    assert disassemble(again).replace("^bb0", "^here") == disassemble(module)


def test_round_trip_keeps_everything() -> None:
    b = FunctionBuilder("main", argument_types=["i64"], result_types=["i64"])
    (x,) = b.arguments
    b.emit("br", "bb0")
    b.label("bb0")
    b.emit("call", "other", (x,), results=[x])
    b.emit("return", (x,))
    other = FunctionBuilder("other", argument_types=["i64"], result_types=["i64"], exported=False)
    other.emit("return", other.arguments)
    init = FunctionBuilder("init")
    init.emit("return", ())
    variables = (
        VmGlobal("a", RegisterType.F32, 0.5),
        VmGlobal("b", RegisterType.REF),
        VmGlobal("ü", RegisterType.F64, 0.1),
    )
    module = VmModule((b.finish(), other.finish(), init.finish()), variables, "init")
    assert decode(encode(module)) == module


def error_of(
    *code: VmInstruction | VmLabel, types: tuple[RegisterType, ...] = (RegisterType.I64, RegisterType.REF)
) -> str:
    with pytest.raises(ArtifactError) as caught:
        encode(VmModule((VmFunction("f", 0, types, (), code),)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (VmInstruction("frob"), "no instruction named 'frob'"),
        (VmInstruction("yield", (1,)), "takes 0 operands"),
        (VmInstruction("br", ("nowhere",)), "no label 'nowhere'"),
        (VmInstruction("mov.i64", (5,), (0,)), "5 is not one of the 2 registers"),
        (VmInstruction("mov.i64", (1,), (0,)), "expected a register of type i64, r1 is ref"),
        (VmInstruction("const.i64", (1 << 64,), (0,)), "does not fit"),
        (VmInstruction("const.i64", (1.5,), (0,)), "does not fit"),
        (VmInstruction("call", ("g", ()), ((),)), "no function 'g'"),
        (VmInstruction("return", (0,)), "expected a tuple of registers"),
        (VmInstruction("hal.view.create", (1, 0, "f32", ()), (1,)), "is not an element type"),
        (VmInstruction("global.load.i64", ("g",), (0,)), "no global 'g'"),
    ],
)
def test_encoder_errors(item: VmInstruction, text: str) -> None:
    assert text in error_of(item)


def test_labels_placed_twice() -> None:
    assert "placed twice" in error_of(VmLabel("a"), VmLabel("a"))


def test_decode_survives_damage() -> None:
    """Whatever is done to the bytes, decode gives a module or an ArtifactError."""
    good = encode(every_instruction())
    rng = random.Random(0)
    for _ in range(1000):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        try:
            disassemble(decode(bytes(data)))
        except ArtifactError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017 (either outcome is right)
