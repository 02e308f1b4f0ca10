"""The page of stated accuracies, from the table that the kernels are emitted from."""

from __future__ import annotations

from tesselle.codegen.llvm.vector_math import FUNCTIONS


def page() -> str:
    """Markdown of the numerics page."""
    rows = "\n".join(
        f"| `{f.name}` | {f.ulp_f32:g} | {f.ulp_f64:g} | {f.ulp_f32_no_fma:g} | {f.ulp_f64_no_fma:g} |"
        for f in sorted(FUNCTIONS.values(), key=lambda f: f.name)
    )
    return f"""# Numerics

## Elementary functions

Kernels call no library: the elementary functions are Tesselle's own, vectorised, and their largest errors are stated
here in units in the last place (ULP) of the format, over its whole range, subnormals included. The test suite measures
every entry. Infinities, NaN and signed zeros are as in IEEE 754 and Annex F of the C standard; subnormals are not
flushed.

| function | f32 | f64 | f32 without FMA | f64 without FMA |
|---|---:|---:|---:|---:|
{rows}

Types narrower than f32 are computed in f32 and rounded once.
"""
