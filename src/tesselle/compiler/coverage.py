"""What there is for every declared operation: its meaning in NumPy, its lowering, code for the CPU; or why not.

Everything is read from the registries that the compiler itself uses. The tests hold `WITHOUT_LOWERING` to them, and the
page of operations in the documentation is printed from `coverage()`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections import defaultdict
from dataclasses import dataclass
from types import ModuleType
from typing import cast

import tesselle.dialects
import tesselle.passes
import tesselle.reference  # pyright: ignore[reportUnusedImport]  # it registers the meanings
from tesselle.codegen.llvm.translate import supported_operations
from tesselle.ir.core import Op
from tesselle.ir.declare import OPS
from tesselle.ir.rewrite import Pattern
from tesselle.passes.global_optimization.stablehlo_to_linalg import LOWERINGS
from tesselle.reference import has_semantics

INPUT_DIALECTS = ("stablehlo", "chlo")
"""Dialects of source programs: their operations are lowered to linalg."""

BEFORE = "gone after the input phase"
TERMINATOR = "ends a region: its parent reads it"


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {name: reason for names, reason in rows for name in names.split()}


WITHOUT_LOWERING: dict[str, str] = _table(
    (
        "chlo.broadcast_add chlo.broadcast_and chlo.broadcast_atan2 chlo.broadcast_compare"
        " chlo.broadcast_complex chlo.broadcast_divide chlo.broadcast_maximum chlo.broadcast_minimum"
        " chlo.broadcast_multiply chlo.broadcast_next_after chlo.broadcast_or chlo.broadcast_polygamma"
        " chlo.broadcast_power chlo.broadcast_remainder chlo.broadcast_select chlo.broadcast_shift_left"
        " chlo.broadcast_shift_right_arithmetic chlo.broadcast_shift_right_logical chlo.broadcast_subtract"
        " chlo.broadcast_xor chlo.broadcast_zeta chlo.constant chlo.ragged_dot chlo.scan"
        " stablehlo.after_all stablehlo.all_gather stablehlo.all_reduce stablehlo.all_to_all"
        " stablehlo.async_done stablehlo.async_start stablehlo.cholesky stablehlo.collective_broadcast"
        " stablehlo.collective_permute stablehlo.composite stablehlo.create_token"
        " stablehlo.cross-replica-sum stablehlo.fft stablehlo.get_tuple_element stablehlo.infeed"
        " stablehlo.outfeed stablehlo.partition_id stablehlo.recv stablehlo.reduce_scatter"
        " stablehlo.replica_id stablehlo.rng stablehlo.rng_bit_generator stablehlo.send"
        " stablehlo.triangular_solve stablehlo.tuple stablehlo.unary_einsum stablehlo.uniform_dequantize"
        " stablehlo.uniform_quantize",
        BEFORE,
    ),
    ("stablehlo.return", TERMINATOR),
)
"""Operations of source programs that have no lowering to linalg, with the reason."""

STRUCTURE = "structure of the program, not a computation"
GAP = "missing"
"""The reason that is none: the tests refuse it."""
LOWERED = "TensorFlow's; gone after the input phase"
NOT_IN_KERNELS = "becomes loops before kernels are translated"

OTHER_DIALECTS: dict[str, tuple[str, str]] = {
    "arith": (GAP, GAP),
    "bufferization": ("tensors become memory between two passes", "gone when kernels are translated"),
    "builtin": (STRUCTURE, STRUCTURE),
    "cf": ("assertions before they run", "only in host programs"),
    "check": ("custom calls before they run", "host functions compare"),
    "complex": (GAP, GAP),
    "flow": ("dispatches, which `stream` schedules", "only in host programs"),
    "func": (STRUCTURE, "read with the function around it"),
    "hal": ("commands to a device", "only in host programs"),
    "interpreter": (GAP, "grids of processes run in the reference interpreter, prints and probes on the host"),
    "linalg": (TERMINATOR, NOT_IN_KERNELS),
    "math": (GAP, GAP),
    "memref": ("memory of kernels, compared through whole programs", TERMINATOR),
    "ml_program": ("state of a session", "only in host programs"),
    "scf": (TERMINATOR, TERMINATOR),
    "sdy": (STRUCTURE, "gone after the input phase: one device has no shardings"),
    "shape": (TERMINATOR, "arithmetic of the host once shapes are known"),
    "stream": ("commands and lifetimes on a timeline", "only in host programs"),
    "tensor": (TERMINATOR, NOT_IN_KERNELS),
    "tf": (LOWERED, LOWERED),
    "tf_saved_model": (LOWERED, LOWERED),
    "vector": ("registers of kernels, compared through whole programs", TERMINATOR),
    "vm": ("the virtual machine is its definition", "only in host programs"),
}
"""Dialect -> why its operations have no meaning in NumPy, and why no translation to LLVM, where they have none."""


@dataclass(frozen=True)
class Coverage:
    """What there is for one operation. `meaning` and `cpu` are empty where it is there, else the reason why not.

    `lowered_by`: for operations of source programs, the pass that replaces them, where there is one.
    """

    name: str
    summary: str
    meaning: str
    cpu: str
    lowered_by: str | None

    @property
    def dialect(self) -> str:
        return self.name.partition(".")[0]


def coverage() -> list[Coverage]:
    """Every declared operation, by name."""
    import_all(tesselle.dialects)
    rewrites, translated = _rewrites(), set(supported_operations())
    rows: list[Coverage] = []
    for name, cls in sorted(OPS.items()):
        dialect = name.partition(".")[0]
        if dialect in INPUT_DIALECTS:
            lowered_by = "convert-stablehlo-to-linalg" if cls in LOWERINGS else rewrites.get(cls)
            reason = WITHOUT_LOWERING.get(name, "")
            cpu = "" if lowered_by else reason
        else:
            lowered_by = None
            reason, kernel_reason = OTHER_DIALECTS[dialect]
            cpu = "" if cls in translated else kernel_reason
        rows.append(Coverage(name, _first_line(cls), "" if has_semantics(cls) else reason, cpu, lowered_by))
    return rows


def import_all(package: ModuleType) -> list[ModuleType]:
    """Every module of `package`, imported for what it registers."""
    names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [importlib.import_module(name) for name in names]


def _rewrites() -> dict[type[Op], str]:
    """Op class -> the passes with a rule for exactly it."""
    found: dict[type[Op], set[str]] = defaultdict(set)
    for module in import_all(tesselle.passes):
        for value in vars(module).values():
            rules = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
            for rule in rules:
                if isinstance(rule, Pattern):
                    found[rule.root].add(module.__name__.rpartition(".")[2].replace("_", "-"))
    return {cls: ", ".join(sorted(names)) for cls, names in found.items()}


def _first_line(cls: type[Op]) -> str:
    # getdoc would inherit the text of a base class, which says nothing about the operation.
    return inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n")[0]
