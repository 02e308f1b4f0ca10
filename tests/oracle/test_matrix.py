"""The matrix of operations and element types: every cell is tried, and `docs/element_types.json` says what was found.

An empty cell has a reason: the operation's own constraint, or what the reference or the compiler says. When an
operation gains a type, `pytest tests/oracle/test_matrix.py --update-golden` writes the table anew.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from element_values import ELEMENT_TYPES
from matrix_programs import PROGRAMS, WITHOUT_PROGRAM, MatrixProgram

from tesselle.compiler import compile
from tesselle.compiler.coverage import INPUT_DIALECTS, coverage
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.core.func import FuncOp
from tesselle.ir.text import parse_module
from tesselle.ir.types import TensorType
from tesselle.ir.verify import verify
from tesselle.reference import interpret
from tesselle.support.diagnostics import TesselleError, Unsupported
from tesselle.support.dtypes import DType
from tesselle.support.options import CompileOptions

runtime = pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

Array = np.ndarray[Any, Any]
TABLE = Path(__file__).parents[2] / "docs/element_types.json"

Reasons = dict[str, str]
"""Operation -> why it has no such type; operations that have it are left out."""


# ---------------------------------------------------------------------------------------------- one column


class Cell:
    """A program at one element type: its text, arguments, and the results that the reference gives."""

    def __init__(self, program: MatrixProgram, name: str, dtype: DType) -> None:
        self.op, self.name, self.text = program.op, name, program.function(name, dtype)
        module = parse_module(self.text, "matrix.mlir")
        assert isinstance(module, ModuleOp)
        verify(module)
        function = module.body.first
        assert isinstance(function, FuncOp)
        self.arguments = [values(t, k) for k, t in enumerate(function.function_type.inputs)]
        self.module = module

    def meaning(self) -> list[Array]:
        with np.errstate(all="ignore"):
            return [np.asarray(r) for r in interpret(self.module, self.name, self.arguments)]


def values(t: Any, rotation: int) -> Array:
    """Small numbers, exact in nearly every type; square matrices are positive definite."""
    assert isinstance(t, TensorType)
    dtype, shape = t.dtype, t.static_shape
    numbers = [1, 3, 2, 0, 1, 5, 7, 2, 1, 2] if dtype.is_integer else [0.5, 2, 1, 4, 1.5, 3, 0.25, 2, 1, 4, 6, 0.5]
    plain = np.roll(np.resize(numbers, math.prod(shape)), rotation).reshape(shape)
    if shape == (2, 2):
        plain = np.array([[4, 1], [1, 4]])
    if dtype.is_integer and dtype.bits < 8:
        return (plain.astype(np.int8) & ((1 << (dtype.bits - dtype.is_signed)) - 1)).astype(dtype.numpy)
    if dtype.is_complex:
        return (plain + 1j * np.roll(plain, 1) * (shape != (2, 2))).astype(dtype.numpy)
    return plain.astype(dtype.numpy)


def reason_of(error: TesselleError, dtype: DType) -> str:
    """`I1: expected a tensor of integer type`: the rule and the first half of its message."""
    first = error.diagnostics[0]
    text = first.message.partition(", found")[0].replace(f"of {dtype}", "of this type")
    label = first.rule.rpartition(".")[2]
    return f"{label}: {text}" if label[:1] in ("I", "C") and label[1:].isdigit() else text


def measure(dtype: DType, cache: Path) -> Reasons:
    """One column of the table; the compiled results are compared with the reference's."""
    reasons: Reasons = {}
    cells: list[tuple[Cell, list[Array]]] = []
    for i, program in enumerate(PROGRAMS):
        try:
            cell = Cell(program, f"f{i}", dtype)
            cells.append((cell, cell.meaning()))
        except TesselleError as error:
            reasons.setdefault(program.op, reason_of(error, dtype))
    for cell, _ in cells:
        reasons.pop(cell.op, None)
    functions = compiled([cell for cell, _ in cells], dtype, cache, reasons)
    for cell, wanted in cells:
        if cell.name in functions:
            with np.errstate(all="ignore"):
                found = functions[cell.name](*cell.arguments)
            for f, w in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
                assert_close(np.asarray(f), w, f"{cell.op} of {dtype}")
    return reasons


def compiled(cells: list[Cell], dtype: DType, cache: Path, reasons: Reasons) -> dict[str, Any]:
    """All functions from one compilation; one by one where something is refused, which goes to `reasons`."""
    options = CompileOptions(cache_dir=cache)
    try:
        program = runtime.load(compile("\n".join(c.text for c in cells), options=options))
        return {c.name: program[c.name] for c in cells}
    except Unsupported as error:
        if len(cells) == 1:
            reasons[cells[0].op] = reason_of(error, dtype)
            return {}
    found: dict[str, Any] = {}
    for part in (cells[: len(cells) // 2], cells[len(cells) // 2 :]):
        found.update(compiled(part, dtype, cache, reasons))
    return found


def assert_close(found: Array, wanted: Array, what: str) -> None:
    """Equal, or a few units in the last place apart (two of them for types narrower than f32)."""
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), what
    kind = next(d for d in ELEMENT_TYPES if d.numpy == wanted.dtype)
    if not (kind.is_float or kind.is_complex):
        np.testing.assert_array_equal(found, wanted, err_msg=what)
        return
    limit = 2 * float(ml_dtypes.finfo(kind.element.numpy).eps) * (1 if kind.bits < 32 else 32)
    wide = np.complex128 if kind.is_complex else np.float64
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(found.astype(wide), wanted.astype(wide), rtol=limit, atol=limit, err_msg=what)


# ---------------------------------------------------------------------------------------------- the table


def stored() -> dict[str, Any]:
    """`operations` in order, `others` with their reasons, `types`: element type -> reason -> operations."""
    return json.loads(TABLE.read_text())


def write(types: dict[str, Any]) -> None:
    ordered = {d.name: types[d.name] for d in ELEMENT_TYPES if d.name in types}
    table = {"operations": sorted({p.op for p in PROGRAMS}), "others": WITHOUT_PROGRAM, "types": ordered}
    TABLE.write_text(json.dumps(table, indent=1) + "\n")


def by_reason(reasons: Reasons) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for op, reason in sorted(reasons.items()):
        found[reason].append(op)
    return dict(sorted(found.items()))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("objects")


@pytest.mark.parametrize("dtype", ELEMENT_TYPES, ids=str)
def test_column(dtype: DType, cache: Path, request: pytest.FixtureRequest) -> None:
    measured = by_reason(measure(dtype, cache))
    if request.config.getoption("--update-golden"):
        write((stored()["types"] if TABLE.exists() else {}) | {dtype.name: measured})
    assert measured == stored()["types"].get(dtype.name), "the table is out of date: run with --update-golden"


def test_every_operation_has_a_program() -> None:
    declared = {row.name for row in coverage() if row.dialect in INPUT_DIALECTS}
    shown = {p.op for p in PROGRAMS}
    assert not shown & set(WITHOUT_PROGRAM)
    assert shown | set(WITHOUT_PROGRAM) == declared
    assert stored()["operations"] == sorted(shown)
    assert stored()["others"] == WITHOUT_PROGRAM
