"""Contractions against NumPy in f64: layouts, sizes, tails, batches, dynamic dimensions, epilogues, targets."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pytest
from contraction_harness import Array, Compiled, compile_dispatch
from random_sizes import combinations

from tesselle.dialects.core import arith
from tesselle.dialects.core import math as math_dialect
from tesselle.dialects.core.tensor import EmptyOp
from tesselle.dialects.linalg.ops import ContractOp, FillOp, GenericOp, IndexOp, IteratorType, YieldOp
from tesselle.ir.affine import AffineConst, AffineDim, AffineMap
from tesselle.ir.builder import Builder
from tesselle.ir.core import Block, Region, Value
from tesselle.ir.types import TensorType
from tesselle.support.dtypes import BF16, F16, F32, F64, I1, I32, DType

Scalars = Sequence[Value]


def random(shape: Sequence[int], dtype: DType, name: str) -> Array:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return np.asarray(rng.standard_normal(tuple(shape)), dtype=dtype.numpy)


def tolerance(dtype: DType, depth: int) -> float:
    return {F64: 1e-14, F32: 4e-7, F16: 1e-3, BF16: 8e-3}[dtype] * max(4.0, math.sqrt(depth) * 2)


def maps_of(spec: str) -> tuple[tuple[AffineMap, AffineMap, AffineMap], list[str], str]:
    """Indexing maps of an einsum specification, the operands' letters, and the letters in the order of the loops."""
    inputs, out = spec.split("->")
    terms = [*inputs.split(","), out]
    letters = "".join(dict.fromkeys(out + "".join(terms)))
    a, b, c = (AffineMap.select(len(letters), [letters.index(ch) for ch in t]) for t in terms)
    return (a, b, c), terms, letters


def fill(b: Builder, t: TensorType, dims: Sequence[Value], value: float = 0.0) -> Value:
    constant = b.insert(arith.ConstantOp(value, t.dtype)).result
    return b.insert(FillOp(constant, b.insert(EmptyOp(dims, t)).result)).result


def generic(
    b: Builder,
    inputs: Sequence[tuple[Value, AffineMap]],
    output: TensorType,
    dims: Sequence[Value],
    body: Callable[[Builder, Scalars], Value],
    output_map: AffineMap | None = None,
) -> Value:
    """An elementwise linalg.generic."""
    rank = output.rank
    empty = b.insert(EmptyOp(dims, output)).result
    types = [v.type.dtype for v, _ in inputs if isinstance(v.type, TensorType)]
    block = Block([*types, output.dtype])
    inner = Builder.at_end(block)
    inner.insert(YieldOp([body(inner, block.args)]))
    maps = (*(m for _, m in inputs), output_map or AffineMap.identity(rank))
    return b.insert(
        GenericOp([v for v, _ in inputs], [empty], maps, (IteratorType.PARALLEL,) * rank, Region([block]))
    ).result


def compile_contract(
    spec: str,
    sizes: dict[str, int],
    dtype: DType = F32,
    target: str = "host",
    dynamic: str = "",
    in_dtype: DType | None = None,
) -> tuple[Compiled, list[Array]]:
    """A contraction alone, and operands for it; the dimensions named in `dynamic` are `?`."""
    maps, terms, _ = maps_of(spec)
    source = in_dtype or dtype
    shapes = [tuple(sizes[ch] for ch in t) for t in terms]
    types = [
        TensorType(tuple(None if ch in dynamic else sizes[ch] for ch in t), d)
        for t, d in zip(terms, (source, source, dtype), strict=True)
    ]

    def body(b: Builder, tensors: Scalars, dims: Scalars) -> list[Value]:
        count = types[2].shape.count(None)
        out = fill(b, types[2], dims[len(dims) - count :])
        return [b.insert(ContractOp(tensors[0], tensors[1], out, maps)).result]

    arrays = [random(s, source, f"{spec}{i}{s}") for i, s in enumerate(shapes[:2])]
    return compile_dispatch(types[:2], types[2:], body, target), [*arrays, np.full(shapes[2], np.nan, dtype.numpy)]


def check(spec: str, arrays: Sequence[Array], dtype: DType, depth: int) -> None:
    a, b, c = (x.astype(np.float64) for x in arrays)
    expected = np.einsum(spec, a, b)
    scale = np.einsum(spec, np.abs(a), np.abs(b)) / math.sqrt(max(1, depth)) + 1.0
    np.testing.assert_array_less(np.abs(c - expected) / scale, tolerance(dtype, depth))


CASES: list[tuple[str, dict[str, int]]] = [
    ("mk,kn->mn", {"m": 64, "n": 64, "k": 64}),
    ("mk,kn->mn", {"m": 6, "n": 16, "k": 1}),
    ("mk,kn->mn", {"m": 1, "n": 1, "k": 1}),
    ("mk,kn->mn", {"m": 13, "n": 17, "k": 19}),
    ("mk,kn->mn", {"m": 31, "n": 129, "k": 530}),
    ("mk,kn->mn", {"m": 200, "n": 150, "k": 70}),
    ("mk,kn->mn", {"m": 5, "n": 300, "k": 0}),
    ("mk,kn->mn", {"m": 0, "n": 7, "k": 3}),
    ("mk,kn->mn", {"m": 7, "n": 0, "k": 3}),
    ("mk,nk->mn", {"m": 37, "n": 41, "k": 43}),
    ("km,kn->mn", {"m": 37, "n": 61, "k": 43}),
    ("km,nk->mn", {"m": 37, "n": 41, "k": 43}),
    ("mk,kn->nm", {"m": 37, "n": 41, "k": 23}),
    ("mk,nk->nm", {"m": 19, "n": 90, "k": 600}),
    ("km,kn->mn", {"m": 50, "n": 130, "k": 700}),
    ("mk,k->m", {"m": 67, "k": 129}),
    ("k,kn->n", {"n": 67, "k": 129}),
    ("k,k->", {"k": 1000}),
    ("m,n->mn", {"m": 23, "n": 45}),
    ("bmk,bkn->bmn", {"b": 3, "m": 9, "n": 33, "k": 12}),
    ("bsk,khd->bshd", {"b": 2, "s": 5, "k": 24, "h": 3, "d": 8}),
    ("bsk,khd->bhsd", {"b": 2, "s": 5, "k": 24, "h": 3, "d": 7}),
    ("bqhd,bkhd->bhqk", {"b": 2, "q": 20, "k": 21, "h": 3, "d": 32}),
    ("bhqk,bkhd->bqhd", {"b": 2, "q": 20, "k": 21, "h": 3, "d": 32}),
    ("bqhd,hdc->bqc", {"b": 2, "q": 11, "h": 3, "d": 8, "c": 40}),
    ("bmk,bkn->mnb", {"b": 5, "m": 6, "n": 7, "k": 8}),
    ("mjk,jkn->mn", {"m": 10, "j": 3, "k": 300, "n": 20}),
    ("mkj,jkn->mn", {"m": 10, "j": 3, "k": 7, "n": 20}),
]
NARROW: list[tuple[str, dict[str, int]]] = [
    *(("mk,kn->mn", {"m": m, "n": n, "k": 45}) for m in (1, 2, 3, 4, 5, 7, 8) for n in (1, 5, 16, 50, 131)),
    *(("mk,nk->mn", {"m": m, "n": n, "k": k}) for m, n, k in ((1, 50, 64), (2, 3, 33), (3, 19, 7), (4, 64, 130))),
]


def name_of(value: str | dict[str, int]) -> str:
    return "-".join(f"{k}{v}" for k, v in value.items()) if isinstance(value, dict) else value


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize(("spec", "sizes"), CASES, ids=name_of)
def test_layouts(spec: str, sizes: dict[str, int], target: str) -> None:
    run, arrays = compile_contract(spec, sizes, F32, target)
    run(*arrays)
    check(spec, arrays, F32, sizes.get("k", 1))


@pytest.mark.parametrize(("spec", "sizes"), NARROW, ids=name_of)
def test_few_rows(spec: str, sizes: dict[str, int]) -> None:
    run, arrays = compile_contract(spec, sizes)
    run(*arrays)
    check(spec, arrays, F32, sizes["k"])


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize(("spec", "sizes"), CASES[::2], ids=name_of)
def test_dynamic_dimensions(spec: str, sizes: dict[str, int], target: str) -> None:
    run, arrays = compile_contract(spec, sizes, F32, target, dynamic="".join(sizes))
    run(*arrays)
    check(spec, arrays, F32, sizes.get("k", 1))
    call_for_two_hundred_sizes(run, spec, "".join(sizes))


def call_for_two_hundred_sizes(
    run: Compiled,
    spec: str,
    names: str,
    given: Sequence[dict[str, int]] = (),
    fixed: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """One kernel; NumPy's einsum takes every product on its own, so there are not too many of them.

    All dimensions in `names` are open; the others have `fixed` sizes.
    """
    _, (lhs, rhs, out), letters = maps_of(spec)
    drawn = combinations(names, legal=lambda v: bool(fixed) or math.prod(v.values()) <= 20_000)
    for sizes in (*given, *drawn):
        values = {**fixed, **sizes}
        a, b, c = (tuple(values[ch] for ch in t) for t in (lhs, rhs, out))
        arrays = [random(a, F32, f"a{a}"), random(b, F32, f"b{b}"), np.full(c, np.nan, np.float32)]
        run(*arrays)
        check(spec, arrays, F32, math.prod(values[ch] for ch in letters if ch not in out))


def test_one_kernel_serves_all_sizes() -> None:
    given = [dict(zip("mnk", sizes, strict=True)) for sizes in ((5, 40, 700), (200, 17, 0), (64, 300, 1100))]
    run, _ = compile_contract("mk,kn->mn", given[0], dynamic="mnk")
    call_for_two_hundred_sizes(run, "mk,kn->mn", "mnk", given)


@pytest.mark.parametrize("spec", ["mk,kn->mn", "mk,nk->mn", "km,kn->mn"])
@pytest.mark.parametrize(("source", "dtype"), [(F64, F64), (BF16, F32), (F16, F32), (BF16, BF16), (F16, F16)])
def test_element_types(spec: str, source: DType, dtype: DType) -> None:
    for sizes in ({"m": 33, "n": 47, "k": 65}, {"m": 1, "n": 47, "k": 20}):
        run, arrays = compile_contract(spec, sizes, dtype, in_dtype=source)
        run(*arrays)
        check(spec, arrays, dtype, sizes["k"])


# ------------------------------------------------------------------------------------------ epilogues

M, N, K = 29, 53, 37


def with_epilogue(
    stage: Callable[[Builder, Value, Scalars, Scalars], Sequence[Value]],
    extra: Sequence[Array],
    outputs: Sequence[tuple[int, ...]],
    dynamic: bool = False,
    shape: tuple[int, int, int] = (M, N, K),
    target: str = "host",
) -> tuple[list[Array], Array]:
    """Results of stage(lhs @ rhs, extra), and the raw product in f64."""
    m, n, k = shape
    a, w = random((m, k), F32, "a"), random((k, n), F32, "w")

    def hidden(shape: tuple[int, ...]) -> tuple[int | None, ...]:
        return (None,) * len(shape) if dynamic else shape

    inputs = [TensorType(hidden(x.shape), F32 if x.dtype == np.float32 else I1) for x in (a, w, *extra)]
    results = [np.full(s, np.nan, np.float32) for s in outputs]
    result_types = [TensorType(hidden(r.shape), F32) for r in results]
    (maps, _, _) = maps_of("mk,kn->mn")

    def body(b: Builder, tensors: Scalars, dims: Scalars) -> Sequence[Value]:
        mn = [dims[0], dims[3]] if dynamic else []
        product_type = TensorType(hidden((m, n)), F32)
        product = b.insert(ContractOp(tensors[0], tensors[1], fill(b, product_type, mn), maps)).result
        return stage(b, product, tensors[2:], mn)

    run = compile_dispatch(inputs, result_types, body, target)
    run(a, w, *extra, *results)
    return results, a.astype(np.float64) @ w.astype(np.float64)


ROWS_COLUMNS = AffineMap.identity(2)
COLUMNS = AffineMap.select(2, [1])
ROWS = AffineMap.select(2, [0])
NOTHING = AffineMap.select(2, [])


def relu(b: Builder, x: Value) -> Value:
    return b.insert(arith.MaximumFOp(x, b.insert(arith.ConstantOp(0.0, F32)).result)).result


def gelu(b: Builder, x: Value) -> Value:
    """0.5 x (1 + erf(x / sqrt(2)))."""

    def c(v: float) -> Value:
        return b.insert(arith.ConstantOp(v, F32)).result

    e = b.insert(math_dialect.ErfOp(b.insert(arith.MulFOp(x, c(math.sqrt(0.5)))).result)).result
    return b.insert(
        arith.MulFOp(b.insert(arith.MulFOp(x, c(0.5))).result, b.insert(arith.AddFOp(e, c(1.0))).result)
    ).result


def add(b: Builder, x: Value, y: Value) -> Value:
    return b.insert(arith.AddFOp(x, y)).result


@pytest.mark.parametrize("target", ["host", "generic"])
@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("heavy", [False, True])
@pytest.mark.parametrize("shape", [(M, N, K), (48, 64, 1100), (2, 37, 20)])
def test_bias_activation_residual(heavy: bool, dynamic: bool, target: str, shape: tuple[int, int, int]) -> None:
    m, n, _ = shape
    bias, scale, residual = random((n,), F32, "bias"), random((m,), F32, "scale"), random((m, n), F32, "residual")
    offset = np.array(0.25, np.float32)

    def stage(b: Builder, product: Value, extra: Scalars, dims: Scalars) -> Sequence[Value]:
        t = product.type
        assert isinstance(t, TensorType)
        first = generic(
            b,
            [(product, ROWS_COLUMNS), (extra[0], COLUMNS), (extra[1], ROWS)],
            t,
            dims,
            lambda b, v: (gelu if heavy else relu)(b, b.insert(arith.MulFOp(add(b, v[0], v[1]), v[2])).result),
        )
        inputs = [(extra[2], ROWS_COLUMNS), (first, ROWS_COLUMNS), (extra[3], NOTHING)]
        return [generic(b, inputs, t, dims, lambda b, v: add(b, add(b, v[0], v[1]), v[2]))]

    (result,), product = with_epilogue(stage, [bias, scale, residual, offset], [(m, n)], dynamic, shape, target)
    x = (product + bias) * scale[:, None]
    activated = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) if heavy else np.maximum(x, 0)
    np.testing.assert_allclose(result, activated + residual + 0.25, rtol=2e-4, atol=2e-4)


def test_several_results_with_another_layout() -> None:
    """The raw product, and its transpose after a clamp."""

    def stage(b: Builder, product: Value, extra: Scalars, dims: Scalars) -> Sequence[Value]:
        turned = AffineMap.select(2, [1, 0])
        clamped = generic(b, [(product, turned)], TensorType((N, M), F32), dims, lambda b, v: relu(b, v[0]))
        return [product, clamped]

    (raw, turned), product = with_epilogue(stage, [], [(M, N), (N, M)])
    np.testing.assert_allclose(raw, product, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(turned, np.maximum(product, 0).T, rtol=1e-4, atol=1e-4)


def test_transposed_result_alone() -> None:
    def stage(b: Builder, product: Value, extra: Scalars, dims: Scalars) -> Sequence[Value]:
        turned = AffineMap.select(2, [1, 0])
        return [generic(b, [(product, turned)], TensorType((N, M), F32), dims, lambda b, v: relu(b, v[0]))]

    (result,), product = with_epilogue(stage, [], [(N, M)])
    np.testing.assert_allclose(result, np.maximum(product, 0).T, rtol=1e-4, atol=1e-4)


def test_mask_and_counters() -> None:
    """select(mask, product, row - column), the mask stored as booleans."""
    mask = np.asarray(random((M, N), F32, "mask") > 0)

    def stage(b: Builder, product: Value, extra: Scalars, dims: Scalars) -> Sequence[Value]:
        def body(b: Builder, v: Scalars) -> Value:
            i, j = (b.insert(IndexOp(d)).result for d in (0, 1))
            difference = b.insert(arith.IndexCastOp(b.insert(arith.SubIOp(i, j)).result, I32)).result
            other = b.insert(arith.SIToFPOp(difference, F32)).result
            return b.insert(arith.SelectOp(v[1], v[0], other)).result

        t = product.type
        assert isinstance(t, TensorType)
        return [generic(b, [(product, ROWS_COLUMNS), (extra[0], ROWS_COLUMNS)], t, dims, body)]

    (result,), product = with_epilogue(stage, [mask], [(M, N)])
    other = np.arange(M)[:, None] - np.arange(N)[None, :]
    np.testing.assert_allclose(result, np.where(mask, product, other), rtol=1e-4, atol=1e-4)


def test_operand_with_unit_dimension() -> None:
    """A bias of shape [1, N] read at (0, j)."""
    bias = random((1, N), F32, "bias")

    def stage(b: Builder, product: Value, extra: Scalars, dims: Scalars) -> Sequence[Value]:
        t = product.type
        assert isinstance(t, TensorType)
        at = AffineMap(2, 0, (AffineConst(0), AffineDim(1)))
        return [generic(b, [(product, ROWS_COLUMNS), (extra[0], at)], t, dims, lambda b, v: add(b, v[0], v[1]))]

    (result,), product = with_epilogue(stage, [bias], [(M, N)])
    np.testing.assert_allclose(result, product + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("start", ["constant", "tensor"])
@pytest.mark.parametrize("k", [0, 20, 1200])
def test_sums_start_at_the_output(start: str, k: int) -> None:
    a, w, c = random((9, k), F32, "a"), random((k, 21), F32, "w"), random((9, 21), F32, "c")
    maps, _, _ = maps_of("mk,kn->mn")
    types = [TensorType(x.shape, F32) for x in (a, w, c)]

    def body(b: Builder, tensors: Scalars, dims: Scalars) -> Sequence[Value]:
        out = tensors[2] if start == "tensor" else fill(b, types[2], (), 1.5)
        return [b.insert(ContractOp(tensors[0], tensors[1], out, maps)).result]

    result = np.full((9, 21), np.nan, np.float32)
    compile_dispatch(types, [types[2]], body)(a, w, c, result)
    expected = a.astype(np.float64) @ w.astype(np.float64) + (c if start == "tensor" else 1.5)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-3)


def test_no_scalar_arithmetic() -> None:
    """The register kernel of a plain product works on whole vectors."""
    run, _ = compile_contract("mk,kn->mn", {"m": 96, "n": 96, "k": 96})
    assert "fmul float" not in run.text
    assert "fadd float" not in run.text
