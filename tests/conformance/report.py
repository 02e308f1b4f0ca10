"""What a run writes down: `report.md` for people, `results.json` for programs."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from .evaluation import Outcome, Result, Seconds
from .expected_failures import expected, surprise

FAILURES = [o for o in Outcome if o.is_failure]


def share_agreeing(results: Sequence[Result]) -> float:
    """agree / (all that JAX can run), 1 where there are none."""
    counts = Counter(r.outcome for r in results)
    runnable = len(results) - counts[Outcome.SKIPPED]
    return counts[Outcome.AGREE] / runnable if runnable else 1.0


def write(results: Sequence[Result], wall_s: float, folder: Path) -> Path:
    """Write both files into `folder`; the path of the Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    results = sorted(results, key=lambda r: (r.case.group, r.case.name))
    (folder / "results.json").write_text(json.dumps([_record(r) for r in results], indent=1) + "\n")
    path = folder / "report.md"
    path.write_text(markdown(results, wall_s))
    return path


def markdown(results: Sequence[Result], wall_s: float) -> str:
    """The whole report."""
    return "\n".join(
        [
            "# Conformance with JAX's primitive harness",
            "",
            *_totals(results),
            "",
            *_time(results, wall_s),
            "",
            "## Groups",
            "",
            *_groups(results),
            "",
            "## Failures",
            "",
            *_failures(results),
            "",
            "## Skipped by JAX",
            "",
            *_skipped(results),
            "",
        ]
    )


def _totals(results: Sequence[Result]) -> list[str]:
    counts = Counter(r.outcome for r in results)
    lines = [
        f"{len(results)} cases, {share_agreeing(results):.2%} of those that JAX can run agree with XLA on the CPU.",
        "",
    ]
    return [*lines, "| outcome | cases |", "|---|--:|", *(f"| {o.value} | {counts[o]} |" for o in Outcome)]


def _time(results: Sequence[Result], wall_s: float) -> list[str]:
    seconds = sum((r.seconds for r in results), Seconds())
    compiled = [r for r in results if r.outcome in (Outcome.AGREE, Outcome.DIFFER)]
    rate = len(compiled) / total if (total := sum(r.seconds.compile for r in compiled)) else 0.0
    parts = ", ".join(
        f"{name} {value:.1f} s"
        for name, value in (
            ("JAX lowering", seconds.lower),
            ("XLA compile and run", seconds.xla),
            ("Tesselle compile", seconds.compile),
            ("Tesselle load and run", seconds.run),
        )
    )
    return [
        f"{wall_s:.0f} s, {len(results) / wall_s:.1f} programs/s in all; one process compiles {rate:.1f} programs/s.",
        f"Where the processes' time went: {parts}.",
    ]


def _groups(results: Sequence[Result]) -> list[str]:
    groups: defaultdict[str, list[Result]] = defaultdict(list)
    for r in results:
        groups[r.case.group].append(r)
    lines = [
        "| group | cases | agree | " + " | ".join(o.value for o in FAILURES) + " | skipped | compile, ms each |",
        "|---|--:|--:|" + "--:|" * len(FAILURES) + "--:|--:|",
    ]
    for group, members in sorted(groups.items()):
        counts = Counter(r.outcome for r in members)
        each_ms = 1000 * sum(r.seconds.compile for r in members) / len(members)
        cells = [counts[Outcome.AGREE], *(counts[o] or "" for o in FAILURES), counts[Outcome.SKIPPED] or ""]
        lines.append(f"| {group} | {len(members)} | " + " | ".join(map(str, cells)) + f" | {each_ms:.0f} |")
    return lines


def _failures(results: Sequence[Result]) -> list[str]:
    lines: list[str] = []
    for r in results:
        entry = expected(r.case)
        if r.outcome.is_failure and entry is not None and surprise(r) is None:
            lines.append(f"- expected: `{r.case.name}`: {r.outcome.value}: {r.reason} ({entry.reason})")
        elif (line := surprise(r)) is not None:
            lines.append(f"- `{r.case.name}`: {line}")
    return lines or ["None."]


def _skipped(results: Sequence[Result]) -> list[str]:
    reasons: defaultdict[str, list[str]] = defaultdict(list)
    for r in results:
        if r.outcome is Outcome.SKIPPED:
            reasons[f"{r.case.group}: {r.reason}"].append(r.case.name)
    return [f"- {len(names)} × {reason}, for example `{names[0]}`" for reason, names in sorted(reasons.items())] or [
        "None."
    ]


def _record(r: Result) -> dict[str, object]:
    return {
        "name": r.case.name,
        "group": r.case.group,
        "outcome": r.outcome.value,
        "reason": r.reason,
        "seconds": {k: round(v, 6) for k, v in dataclasses.asdict(r.seconds).items()},
    }
