"""Every operation has a meaning and a lowering, or `tesselle.compiler.coverage` holds the reason why not."""

from __future__ import annotations

from tesselle.compiler.coverage import GAP, INPUT_DIALECTS, WITHOUT_LOWERING, coverage
from tesselle.ir.declare import OPS
from tesselle.passes.global_optimization.stablehlo_to_linalg import LOWERINGS
from tesselle.reference import has_semantics


def names() -> list[str]:
    return [row.name for row in coverage() if row.dialect in INPUT_DIALECTS]


def test_lowerings() -> None:
    missing = {name for name in names() if OPS[name] not in LOWERINGS}
    assert missing == set(WITHOUT_LOWERING)


def test_meanings() -> None:
    missing = {name for name in names() if OPS[name] in LOWERINGS and not has_semantics(OPS[name])}
    assert not missing


def test_every_gap_has_a_reason() -> None:
    gaps = [row.name for row in coverage() if GAP in (row.meaning, row.cpu)]
    assert not gaps
    unexplained = [r.name for r in coverage() if not r.meaning and not has_semantics(OPS[r.name])]
    assert not unexplained
