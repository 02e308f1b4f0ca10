"""The matrix of operations, from `tesselle.compiler.coverage`."""

from __future__ import annotations

import re
from collections import defaultdict

from tesselle.compiler.coverage import INPUT_DIALECTS, Coverage, coverage


def page() -> str:
    """Markdown of the operations page."""
    by_dialect: dict[str, list[Coverage]] = defaultdict(list)
    for row in coverage():
        by_dialect[row.dialect].append(row)
    inner = [d for d in sorted(by_dialect) if d not in INPUT_DIALECTS]
    sections = "\n".join(_section(d, by_dialect[d]) for d in (*INPUT_DIALECTS, *inner))
    return f"""# Operations

Every operation that is declared, by dialect. ✓ says that it is there; anything else is the reason why not.

- **meaning**: a NumPy function in `tesselle.reference`, which tests take for the truth and constants are folded with;
- **lowering**: the pass that replaces an operation of a source program;
- **cpu**: what is lowered becomes kernels for the CPU; for inner dialects, the LLVM back end translates the operation.

An operation that nothing handles is refused with its place before anything is compiled; all of them are listed at once.

{sections}
"""


def _section(dialect: str, rows: list[Coverage]) -> str:
    lowered = dialect in INPUT_DIALECTS
    count = f"{len(rows)} operations, {sum(not r.meaning for r in rows)} with a meaning"
    if lowered:
        count += f", {sum(not r.cpu for r in rows)} compiled for the CPU"
    head = ("operation", "", "meaning", "lowering", "cpu") if lowered else ("operation", "", "meaning", "cpu")
    lines = [f"## {dialect}", "", f"{count}.", "", _row(head), _row(("---",) * len(head))]
    for r in rows:
        lowering = (f"`{r.lowered_by}`" if r.lowered_by else r.cpu,) if lowered else ()
        lines.append(_row((f"`{r.name}`", _plain(r.summary), r.meaning or "✓", *lowering, r.cpu or "✓")))
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Docstrings are formulas: what Markdown would take for links and emphasis stands for itself."""
    return re.sub(r"([\[\]*_<>])", r"\\\1", text)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"
