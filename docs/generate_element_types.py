"""The page of element types: which operations have which, from the table that a test measures."""

from __future__ import annotations

import json
from pathlib import Path

from tesselle.support.dtypes import DTYPES, DType
from tesselle.support.float_formats import FORMATS

TABLE = Path(__file__).parent / "element_types.json"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Integers", ("i1", "i2", "i4", "i8", "i16", "i32", "i64", "ui2", "ui4", "ui8", "ui16", "ui32", "ui64")),
    ("Floating-point and complex numbers", ("bf16", "f16", "f32", "f64", "complex<f32>", "complex<f64>")),
    (
        "Narrow floating-point numbers",
        (
            "f4E2M1FN",
            "f6E2M3FN",
            "f6E3M2FN",
            "f8E3M4",
            "f8E4M3",
            "f8E4M3FN",
            "f8E4M3FNUZ",
            "f8E4M3B11FNUZ",
            "f8E5M2",
            "f8E5M2FNUZ",
            "f8E8M0FNU",
        ),
    ),
)
SPECIALS = {
    "ieee": "infinities, nan",
    "fn": "nan, no infinity",
    "fnuz": "one nan, no infinity, no -0",
    "finite": "numbers only: nan is written as -0, overflow as the largest number",
    "scale": "powers of two only, and nan: neither sign nor zero",
}


def page() -> str:
    """Markdown of the page of element types."""
    table = json.loads(TABLE.read_text())
    columns: dict[str, dict[str, list[str]]] = table["types"]
    reasons = {d: {op: r for r, ops in column.items() for op in ops} for d, column in columns.items()}
    marks = {r: _mark(i) for i, r in enumerate(sorted({r for c in reasons.values() for r in c.values()}))}
    shown: list[str] = table["operations"]
    sections = "\n".join(_section(title, names, shown, reasons, marks) for title, names in GROUPS)
    others = "\n".join(_row(f"`{op}`", reason) for op, reason in table["others"].items())
    legend = "\n".join(f"- **{mark}**: {reason}" for reason, mark in marks.items())
    return f"""# Element types

Every type of the StableHLO specification. A type that hardware lacks is computed in a wider one and rounded, or wrapped
around, after every operation. Types of less than a byte take one byte each in memory and in arguments, as the arrays of
ml_dtypes do; `bitcast_convert` packs them.

| type | bits | computed in | NumPy | |
|---|---:|---|---|---|
{_types()}

Floats become integers towards zero and saturate; nan becomes 0. Numbers are rounded once, to nearest, ties to even.

## Operations

✓: the operation's smallest program gives the same results in the reference and compiled for the CPU; a test tries every
cell. A letter is the reason why not.

{legend}

{sections}
### Without a table

| operation | |
|---|---|
{others}
"""


def _mark(index: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[index] if index < 26 else letters[index // 26 - 1] + letters[index % 26]


def _section(
    title: str,
    names: tuple[str, ...],
    operations: list[str],
    reasons: dict[str, dict[str, str]],
    marks: dict[str, str],
) -> str:
    lines = [f"### {title}", "", _row("operation", *names), _row("---", *[":-:"] * len(names))]
    for op in operations:
        cells = [reasons[n].get(op, "") for n in names]
        lines.append(_row(f"`{op}`", *(marks[c] if c else "✓" for c in cells)))
    return "\n".join([*lines, ""])


def _types() -> str:
    names = [n for _, group in GROUPS for n in group]
    return "\n".join(_type_row(DTYPES[n]) for n in names)


def _type_row(d: DType) -> str:
    form = FORMATS.get(d.name)
    what = ""
    if form is not None:
        what = f"exponent {form.exponent_bits}, fraction {form.mantissa_bits}: {SPECIALS[form.specials]}"
    return _row(f"`{d}`", str(d.bits), f"`{d.compute}`", f"`{d.numpy.name}`", what)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"
