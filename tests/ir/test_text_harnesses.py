"""Programs of JAX's own primitive harness: as text and as bytecode, in both directions.

`pytest tests/ir/test_text_harnesses.py --harness-cases 6000` takes all of them.
"""

from __future__ import annotations

import io
import re
from typing import Any

import pytest

from tesselle.ir.bytecode import parse_bytecode
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify

jax = pytest.importorskip("jax")
ir = pytest.importorskip("jaxlib.mlir.ir")

from tests.conformance.cases import Case, all_cases, harnesses, random_state, spread  # noqa: E402  # they need JAX too
from tests.ir.test_text_jaxlib import context  # noqa: E402  # it needs jaxlib too


def generic(text: str) -> str:
    """What jaxlib makes of a text, in its generic form, without attributes that spell out their defaults."""
    with context():
        found = ir.Module.parse(text).operation.get_asm(print_generic_op_form=True)
    return re.sub(r"(indices_are_sorted|unique_indices|is_stable) = false(, )?", "", found).replace(", }", "}")


def lowered_module(case: Case) -> Any:
    """The module that JAX lowers a case to; None when JAX does not take it."""
    harness = harnesses()[case.name]
    try:
        lowered = jax.jit(harness.dyn_fun).lower(*harness.dyn_args_maker(random_state(case)))
    except Exception:  # what JAX cannot lower is no finding about text
        return None
    return lowered.compiler_ir("stablehlo")


def test_sample(request: pytest.FixtureRequest) -> None:
    differences: list[str] = []
    compared = 0
    cases = spread(all_cases(), int(request.config.getoption("--harness-cases")))
    for case in cases:
        module = lowered_module(case)
        if module is None:
            continue
        text = module.operation.get_asm(enable_debug_info=True)
        file = io.BytesIO()
        module.operation.write_bytecode(file)
        try:
            compare(text, file.getvalue())
        except Exception as error:
            differences.append(f"{case.name}: {type(error).__name__}: {str(error)[:500]}")
        compared += 1
    assert not differences, "\n".join([f"{len(differences)} of {compared}", *differences])
    assert compared > 0.7 * len(cases)


def compare(text: str, data: bytes) -> None:
    """jaxlib finds the same module in what is printed, pretty and generic, with and without locations."""
    expected = generic(text)
    read = parse_module(text, "harness.mlir")
    verify(read)
    pretty, plain = print_op(read, locations=True), print_op(read, generic=True)
    assert generic(pretty) == expected
    assert generic(plain) == expected
    assert print_op(parse_module(pretty), locations=True) == pretty
    from_bytes = parse_bytecode(data, "harness.mlirbc")
    verify(from_bytes)
    for op in (*read.walk(), *from_bytes.walk()):
        op.attributes.pop("sdy.sharding_rule", None)  # of a dialect that is not known, whose encoding is kept as it is
    assert generic(print_op(from_bytes)) == generic(print_op(read))
