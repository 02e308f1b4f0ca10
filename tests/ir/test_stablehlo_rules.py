"""Every constraint of StableHLO, CHLO, check, interpreter and sdy is broken once, and named by the error."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from tests.ir.rules import CASES, other_dialects
from tests.ir.rules.forms import module_of

from tesselle.dialects import check, chlo, interpreter, sdy, stablehlo
from tesselle.ir.text import parse_module
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import Diagnostic, VerifyError

MESSAGES = Path(__file__).parent / "data" / "rule_messages.txt"

_ALL = [*((f"stablehlo.{rule}", line) for rule, line in CASES), *other_dialects.CASES]


def error_of(line: str) -> Diagnostic:
    """What the verifier says of the case; it must name its place."""
    module = parse_module(module_of(line), "case.mlir")
    with pytest.raises(VerifyError) as caught:
        verify(module)
    diagnostic = caught.value.diagnostics[0]
    assert str(diagnostic.location) == "case.mlir:3:3"
    return diagnostic


@pytest.mark.parametrize(("rule", "line"), _ALL, ids=[f"{i}-{r}" for i, (r, _) in enumerate(_ALL)])
def test_broken_rule_is_named(rule: str, line: str) -> None:
    diagnostic = error_of(line)
    assert diagnostic.rule == rule, str(diagnostic)


def test_messages(request: pytest.FixtureRequest) -> None:
    """Their words are people's only way in: a change of one is read, not overlooked. One line for each case."""
    text = "".join(f"{rule}: {error_of(line).message}\n" for rule, line in _ALL)
    if request.config.getoption("--update-golden"):
        MESSAGES.write_text(text)
    assert text == MESSAGES.read_text(), f"pytest --update-golden writes {MESSAGES.name} anew"


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


def test_every_label_of_the_other_dialects_has_a_case() -> None:
    """Here the labels of a base class count too: each operation that inherits them breaks them by itself."""
    covered = {rule for rule, _ in other_dialects.CASES}
    missing: list[str] = []
    for dialect in (check, chlo, interpreter, sdy):
        for name in dialect.__all__:
            module = getattr(dialect, name)
            for cls in vars(module).values():
                if not inspect.isclass(cls) or cls.__module__ != module.__name__ or not getattr(cls, "NAME", ""):
                    continue
                sources = [inspect.getsource(c) for c in cls.__mro__ if c.__module__ == module.__name__]
                labels = {label for text in sources for label in re.findall(r'"([CI]\d+)"', text)}
                if re.search(r"tensor_type\(self, self\.\w+(, per_axis=True)?\)", "".join(sources)):
                    labels.add("I1")
                missing += [f"{cls.NAME}.{label}" for label in labels if f"{cls.NAME}.{label}" not in covered]
    # One has nothing to compare; of the other, nothing but elements of a tensor is read as the value.
    allowed = {"check.expect_serialized_eq.C1", "chlo.constant.C1"}
    assert sorted(set(missing) - allowed) == []
