"""Operations of StableHLO that break one rule each: pairs of the rule's name and the operation's text."""

from tests.ir.rules import compute, indexing, moving, others, quantized

CASES: list[tuple[str, str]] = [*moving.CASES, *compute.CASES, *indexing.CASES, *others.CASES, *quantized.CASES]
