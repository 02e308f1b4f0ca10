"""The page of stated accuracies, from the table that the kernels are emitted from."""

from __future__ import annotations

from tesselle.codegen.llvm.vector_math import FUNCTIONS


def page() -> str:
    """Markdown of the numerics page."""
    rows = "\n".join(
        f"| `{f.name}` | {f.ulp_f32:g} | {f.ulp_f64:g} |" for f in sorted(FUNCTIONS.values(), key=lambda f: f.name)
    )
    return f"""# Numerics

## Elementary functions

Kernels call no library: the elementary functions are Tesselle's own, vectorised, and their largest errors are stated
here in units in the last place (ULP) of the format, over its whole range, subnormals included. The test suite measures
every entry, on targets with and without fused multiply-add. Infinities, NaN and signed zeros are as in IEEE 754 and
Annex F of the C standard; subnormals are not flushed.

| function | f32 | f64 |
|---|---:|---:|
{rows}

Types narrower than f32 are computed in f32 and rounded once. Functions of complex<f32> are computed in f64, within 1
ULP of the modulus; those of complex<f64> stay within 8 ULP (power: 512, as its logarithm is multiplied; not atan2).

## Reproducibility

The same artifact gives the same bits on the same processor, from run to run and for every number of threads: how work
is cut, and in which order sums are taken, follows from sizes alone, never from which worker is free. An artifact holds
the code for one kind of processor (`--target-cpu`); code for another one may round sums differently.
"""
