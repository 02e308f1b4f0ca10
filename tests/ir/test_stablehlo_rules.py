"""Every constraint of StableHLO that the verifier knows is broken once, and named by the error."""

from __future__ import annotations

import inspect
import re

import pytest
from tests.ir.rules import CASES
from tests.ir.rules.forms import module_of

from tesselle.dialects import stablehlo
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import VerifyError


@pytest.mark.parametrize(("rule", "line"), CASES, ids=[f"{i}-{r}" for i, (r, _) in enumerate(CASES)])
def test_broken_rule_is_named(rule: str, line: str) -> None:
    module = parse_module(module_of(line), "case.mlir")
    with pytest.raises(VerifyError) as caught:
        verify(module)
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.rule == f"stablehlo.{rule}", str(caught.value)
    assert str(diagnostic.location) == "case.mlir:3:3"


def test_every_label_has_a_case() -> None:
    """Labels that an operation's own class spells out are all broken by a case above."""
    covered = {rule for rule, _ in CASES}
    missing: list[str] = []
    for name in stablehlo.__all__:
        for cls in vars(getattr(stablehlo, name)).values():
            op_name = getattr(cls, "NAME", "")
            if not inspect.isclass(cls) or not op_name or cls.__module__ != f"tesselle.dialects.stablehlo.{name}":
                continue
            short = op_name.removeprefix("stablehlo.")
            labels = set(re.findall(r'"([CI]\d+)"', inspect.getsource(cls)))
            missing += [f"{short}.{label}" for label in labels if f"{short}.{label}" not in covered]
    allowed = {
        # The first operand's type is checked by the same helper everywhere.
        *(m for m in missing if m.endswith(".I1")),
        # Nothing but elements of a tensor is read as the value of a constant.
        "constant.C1",
        # An operand that is no tensor at all, beyond the first, is checked by the same helper everywhere.
        *(m for m in missing if re.search(r"\.I[2-9]$", m)),
        # lhs and rhs of different kinds: needs a result whose shape is right, which C25 looks at first.
        "convolution.C27",
    }
    assert sorted(set(missing) - allowed) == []
