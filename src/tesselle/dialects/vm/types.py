"""Types of vm. Numbers are i32, i64, f32, f64; everything else is a counted reference."""

from __future__ import annotations

from dataclasses import dataclass

from tesselle.artifact.vm_isa import RegisterType
from tesselle.ir.types import Type
from tesselle.support.dtypes import F32, F64, I32, I64


@dataclass(frozen=True, slots=True)
class RefType(Type):
    """`!vm.ref`: a counted reference to an object of the runtime, or null."""

    def __str__(self) -> str:
        return "!vm.ref"


REF = RefType()

VM_TYPES: dict[RegisterType, Type] = {
    RegisterType.I32: I32,
    RegisterType.I64: I64,
    RegisterType.F32: F32,
    RegisterType.F64: F64,
    RegisterType.REF: REF,
}
"""The IR type of each type of register."""

REGISTER_TYPES: dict[Type, RegisterType] = {t: r for r, t in VM_TYPES.items()}
