"""`tesselle check` on the files of this folder: what holds is told to hold, and no wrong value is taken for right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tesselle.cli.app import run_command_line
from tesselle.cli.opt import split_text
from tesselle.compiler.check import CheckOptions, FunctionCheck, check_module
from tesselle.dialects.check.ops import ExpectationOfConstant, ExpectationOfValue, ExpectCloseOp
from tesselle.dialects.core.builtin import ModuleOp
from tesselle.dialects.stablehlo.control_flow import CustomCallOp
from tesselle.dialects.stablehlo.shape import ConstantOp
from tesselle.ir.attributes import DenseElements
from tesselle.ir.builder import Builder
from tesselle.ir.core import Op
from tesselle.ir.text import parse_module
from tesselle.support import expectations
from tesselle.support.custom_calls import Array, CustomCall
from tesselle.support.expectations import Recorder

FILES = sorted(Path(__file__).parent.glob("*.mlir"))


def _parts(path: Path) -> Iterator[ModuleOp]:
    for part in split_text(path.read_text()):
        yield parse_module(part, path.name)


@pytest.mark.parametrize("where", ["cpu", "reference"])
def test_files_hold(where: str, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--reference"] if where == "reference" else []
    code = run_command_line(["check", "-split-input-file", *map(str, FILES), *flags])
    out = capsys.readouterr().out
    assert code == 0, out
    assert "could not be checked" not in out


@pytest.mark.parametrize("name", ["one_replica", "processes"])
def test_folded_programs_hold(name: str) -> None:
    """With constants that the compiler may fold, as `tesselle compile` does."""
    path = next(p for p in FILES if p.stem == name)
    for module in _parts(path):
        results = list(check_module(module, CheckOptions(fold=True)))
        assert all(r.ok for r in results), results


# ---------------------------------------------------------------------------------------------- wrong values


def _wrong(values: Array, index: int) -> Array:
    """The same values but for one element, which is far from what it was."""
    changed = np.array(values)
    flat = changed.reshape(-1)
    old = flat[index]
    if values.dtype == np.bool_:
        flat[index] = not old
    elif values.dtype.kind in "iu":
        flat[index] = old ^ type(old)(1)
    else:
        finite = bool(np.isfinite(old))
        flat[index] = old + (np.abs(old) + 1).astype(values.dtype) if finite else np.ones_like(old)
    return changed


def _is_expectation(op: Op) -> bool:
    known = isinstance(op, ExpectationOfConstant | ExpectationOfValue | ExpectCloseOp)
    return known or (isinstance(op, CustomCallOp) and op.call_target_name.startswith("check."))


def _falsify(module: ModuleOp, at: float) -> int:
    """Change one element of what every expectation expects; how many expectations there are."""
    count = 0
    for op in list(module.walk()):
        if not _is_expectation(op):
            continue
        made = None if isinstance(op, ExpectationOfConstant) else op.operands[1].defining_op
        assert made is None or isinstance(made, ConstantOp), "what is expected must be a constant"
        old = op.value if isinstance(op, ExpectationOfConstant) else made.value if made is not None else None
        assert isinstance(old, DenseElements)
        array = np.array(old.array)
        wrong = DenseElements(_wrong(array, int(at * (array.size - 1))), old.type)
        if isinstance(op, ExpectationOfConstant):
            op.attributes = {**op.attributes, "value": wrong}
        else:
            # A constant of its own: the old one may be an input of the program, too.
            op.set_operand(1, Builder.before_op(op).insert(ConstantOp(wrong)).result)
        count += 1
    return count


def _run(module: ModuleOp, *, reference: bool) -> list[FunctionCheck]:
    return list(check_module(module, CheckOptions(reference=reference)))


@pytest.mark.parametrize("at", [0.0, 1.0], ids=["first", "last"])
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_wrong_value_is_found(path: Path, at: float) -> None:
    """Every expectation of every file fails when one of its values is changed, and each tells it for itself."""
    for module in _parts(path):
        count = _falsify(module, at)
        results = _run(module, reference=True)
        outcomes = [o for r in results for o in r.outcomes]
        serialized = sum(o.kind == "expect_serialized_eq" for o in outcomes)
        assert len(outcomes) == count + serialized > 0
        missed = [o for o in outcomes if not o.problem and o.kind != "expect_serialized_eq"]
        assert not missed
        assert not [r.error for r in results if r.error]


def test_every_element_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No element of an expected tensor can be wrong without notice."""
    seen = 0
    problem = expectations._problem

    def every_element(call: CustomCall, operands: tuple[Array, ...], probes: Path | None) -> str:
        nonlocal seen
        if len(operands) == 2:
            for i in range(operands[1].size):
                assert problem(call, (operands[0], _wrong(operands[1], i)), probes), (call, operands, i)
                seen += 1
        return problem(call, operands, probes)

    monkeypatch.setattr(expectations, "_problem", every_element)
    for path in FILES:
        for module in _parts(path):
            assert all(r.ok for r in _run(module, reference=True))
    assert seen > 1000


@pytest.mark.parametrize("name", ["one_replica", "other_forms"])
def test_wrong_values_are_found_on_the_device(name: str) -> None:
    path = next(p for p in FILES if p.stem == name)
    for module in _parts(path):
        count = _falsify(module, 0.0)
        outcomes = [o for r in _run(module, reference=False) for o in r.outcomes]
        assert sum(bool(o.problem) for o in outcomes) == count


# ---------------------------------------------------------------------------------------------- what is told


def _check_text(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    file = tmp_path / "program.mlir"
    file.write_text(text)
    code = run_command_line(["check", str(file), *flags])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def _program(body: str, name: str = "f") -> str:
    return f"func.func @{name}() {{\n{body}\n  func.return\n}}\n"


def test_place_index_and_distance_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = _program(
        "  %0 = stablehlo.constant dense<[1.0, 2.0, 4.0]> : tensor<3xf32>\n"
        "  %1 = stablehlo.constant dense<[1.0, 2.0000002, 4.0]> : tensor<3xf32>\n"
        "  check.expect_eq %0, %1 : tensor<3xf32>"
    )
    code, out = _check_text(text, tmp_path, capsys)
    assert code == 1
    assert "program.mlir:4:3: error[check.expect_eq]: expected 2.0000002, found 2.0 at [1], 1 ULP apart" in out
    assert "0 of 1 functions passed, 0 of 1 expectations hold" in out


def test_an_unsupported_function_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = _program(
        "  %0 = stablehlo.constant dense<1.0> : tensor<f32>\n"
        "  %1 = stablehlo.custom_call @nobody(%0) : (tensor<f32>) -> tensor<f32>\n"
        "  check.expect_eq_const %1, dense<1.0> : tensor<f32>",
        "bad",
    )
    good = _program(
        "  %0 = stablehlo.constant dense<1> : tensor<i32>\n  check.expect_eq_const %0, dense<1> : tensor<i32>"
    )
    code, out = _check_text(bad + good, tmp_path, capsys)
    assert code == 1
    assert "custom call @nobody is not known" in out
    assert "1 of 2 functions passed, 1 of 1 expectations hold" in out


def test_a_file_without_functions_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = _check_text("func.func private @f() {\n  func.return\n}\n", tmp_path, capsys)
    assert code == 1
    assert "there is no function to run" in out


def test_older_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = _program(
        "  %0 = stablehlo.constant dense<[1.0, 2.0]> : tensor<2xf32>\n"
        "  check.eq %0, dense<[1.0, 2.0]> : tensor<2xf32>\n"
        "  check.almost_eq %0, dense<[1.00005, 2.0]> : tensor<2xf32>\n"
        "  check.almost_eq %0, dense<[1.01, 2.0]> : tensor<2xf32>, tolerance = 0.1\n"
        '  "check.eq"(%0) <{value = dense<[1.0, 3.0]> : tensor<2xf32>}> : (tensor<2xf32>) -> ()\n'
        "  check.almost_eq %0, dense<[1.001, 2.0]> : tensor<2xf32>"
    )
    for flags in ((), ("--reference",)):
        code, out = _check_text(text, tmp_path, capsys, *flags)
        assert code == 1
        assert "program.mlir:6:3: error[check.expect_eq]: expected 3.0, found 2.0 at [1]" in out
        assert "program.mlir:7:3: error[check.expect_almost_eq]: expected 1.001, found 1.0 at [0]" in out
        assert "3 of 5 expectations hold" in out


def test_filter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = "  %0 = stablehlo.constant dense<1> : tensor<i32>\n  check.expect_eq_const %0, dense<2> : tensor<i32>"
    right = "  %0 = stablehlo.constant dense<1> : tensor<i32>\n  check.expect_eq_const %0, dense<1> : tensor<i32>"
    text = _program(wrong, "wrong") + _program(right, "right")
    assert _check_text(text, tmp_path, capsys)[0] == 1
    assert _check_text(text, tmp_path, capsys, "--filter", "ri*")[0] == 0


@pytest.mark.parametrize(
    ("target", "found", "expected", "config", "holds"),
    [
        ("check.expect_eq", [np.nan], [np.nan], {}, True),
        ("check.expect_eq", [0.0], [-0.0], {}, True),
        ("check.expect_eq", [np.inf], [-np.inf], {}, False),
        ("check.expect_eq", [1 + 2j], [1 + 3j], {}, False),
        ("check.expect_close", [1.0], [np.nextafter(1.0, 2.0)], {"max_ulp_difference": 1}, True),
        ("check.expect_close", [1.0], [np.nextafter(1.0, 2.0)], {"max_ulp_difference": 0}, False),
        ("check.expect_close", [1.0], [1.0], {"min_ulp_difference": 1}, False),
        ("check.expect_close", [5e-324], [-5e-324], {"max_ulp_difference": 2}, True),
        ("check.expect_close", [5e-324], [-5e-324], {"max_ulp_difference": 1}, False),
        ("check.expect_close", [np.inf], [1.7976931348623157e308], {}, False),
        ("check.expect_close", [np.nan], [1.0], {}, False),
        ("check.expect_almost_eq", [1.0], [1.00005], {}, True),
        ("check.expect_almost_eq", [1.0], [1.001], {}, False),
        ("check.expect_almost_eq", [1.0], [1.001], {"tolerance": 0.01}, True),
        ("check.expect_almost_eq", [np.nan], [1.0], {"tolerance": np.inf}, False),
        ("check.eq", [1], [2], {}, False),
    ],
)
def test_comparison(
    target: str, found: list[complex], expected: list[complex], config: dict[str, float], holds: bool
) -> None:
    recorder = Recorder()
    recorder.functions()[target](CustomCall(target, config), np.array(found), np.array(expected))
    assert bool(recorder.outcomes[0].problem) is not holds, recorder.outcomes
