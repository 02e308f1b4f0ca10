"""Custom calls that JAX, and XLA before it, emit for linear algebra: LAPACK's routines by name, run by SciPy's LAPACK.

    lapack_sgetrf_ffi(a) -> (lu, pivots, info)        x in s, d, c, z: float32, float64, complex64, complex128
    Qr(a) -> (qr, taus)                               names without a type, of XLA

Dimensions in front of the matrix are a batch. `info` is LAPACK's, one number for each matrix; what becomes of a failed
matrix is the program's own affair. Results that a mode does not compute are zero.

Sources: LAPACK Users' Guide; the calls' operands and attributes from jaxlib, `jax/_src/lax/linalg.py`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tesselle.support.custom_calls import Array, CustomCall, HostFunction
from tesselle.support.diagnostics import ExecutionError

Kernel = Callable[..., Sequence[Any]]
"""`f(call, *matrices)`: one matrix (or vector) for each operand; the results for one element of the batch."""

_NAME = re.compile(r"(?:lapack|blas)_([sdcz])(\w+?)_ffi")


@dataclass(frozen=True)
class _Routine:
    """`ranks`: how many trailing dimensions of each operand belong to one matrix."""

    kernel: Kernel
    ranks: tuple[int, ...]


_ROUTINES: dict[str, _Routine] = {}
"""By LAPACK's name without the letter of the type."""

_PLAIN: dict[str, _Routine] = {}
"""By the whole name."""


def host_function(target: str) -> HostFunction | None:
    """The function that runs calls of `target`, or None for a name that is none of LAPACK's."""
    match = _NAME.fullmatch(target)
    routine = _ROUTINES.get(match[2]) if match is not None else _PLAIN.get(target)
    return _Batched(routine) if routine is not None else None


@dataclass(frozen=True)
class _Batched:
    """Runs a routine for every matrix of a batch."""

    routine: _Routine

    def __call__(self, call: CustomCall, *operands: Array) -> list[Array]:
        ranks = self.routine.ranks
        if len(operands) != len(ranks):
            raise ExecutionError(
                f"custom call @{call.target} takes {len(ranks)} operands, found {len(operands)}: calls that encode"
                " sizes as operands are those of jaxlib before 0.4.33 and are not supported"
            )
        batch = operands[0].shape[: operands[0].ndim - ranks[0]]
        results = [np.zeros(spec.shape, spec.dtype.numpy) for spec in call.results]
        with np.errstate(all="ignore"):  # nan and infinities are results like others
            for place in np.ndindex(*batch):
                outs = self.routine.kernel(call, *(x[place] for x in operands))
                for result, out in zip(results, outs, strict=True):
                    if out is not None:
                        result[place] = out
        return results


def _routine(names: str, *ranks: int) -> Callable[[Kernel], Kernel]:
    def register(kernel: Kernel) -> Kernel:
        for name in names.split():
            is_plain = name[0].isupper() or name.endswith("_ffi")
            (_PLAIN if is_plain else _ROUTINES)[name] = _Routine(kernel, ranks)
        return kernel

    return register


def _lapack(name: str, *arrays: Array) -> Any:
    """SciPy's wrapper of a routine for the arrays' element type."""
    return _scipy_linalg().get_lapack_funcs(name, arrays)


def _scipy_linalg() -> Any:
    # SciPy takes longer to import than many programs take to run.
    return importlib.import_module("scipy.linalg")


def _letter(call: CustomCall, name: str) -> str:
    """An attribute that LAPACK knows as one letter: jaxlib passes its code."""
    value = call.attributes.get(name)
    if isinstance(value, str):
        return value
    if not isinstance(value, int):
        raise ExecutionError(f"custom call @{call.target} needs the attribute '{name}'")
    return chr(value)


def _is_complex(x: Array) -> bool:
    return x.dtype.kind == "c"


# ---------------------------------------------------------------------------------------------- factorisations


@_routine("potrf", 2)
def _potrf(call: CustomCall, a: Array) -> Sequence[Any]:
    """a = L L^H (uplo L) or U^H U; the other triangle is left as it is."""
    if not a.size:
        return a, 0
    return _lapack("potrf", a)(a, lower=_letter(call, "uplo") == "L", clean=False)


@_routine("getrf", 2)
def _getrf(call: CustomCall, a: Array) -> Sequence[Any]:
    """P a = L U. Pivots count from 1."""
    if not a.size:
        return a, None, 0
    lu, pivots, info = _lapack("getrf", a)(a)
    return lu, pivots + 1, info


@_routine("LuDecomposition", 2)
def _lu_decomposition(call: CustomCall, a: Array) -> Sequence[Any]:
    """P a = L U. Pivots count from 0; the third result is P as a permutation of the rows."""
    permutation = np.arange(a.shape[0], dtype=np.int32)
    if not a.size:
        return a, None, permutation
    lu, pivots, _ = _lapack("getrf", a)(a)
    for row, other in enumerate(pivots):
        permutation[[row, other]] = permutation[[other, row]]
    return lu, pivots, permutation


@_routine("geqrf Qr", 2)
def _geqrf(call: CustomCall, a: Array) -> Sequence[Any]:
    """a = Q R: R in the upper triangle, Householder vectors below it, their factors in taus."""
    if not a.size:
        return a, None
    return _lapack("geqrf", a)(a)[:2]


@_routine("geqp3", 2, 1)
def _geqp3(call: CustomCall, a: Array, jpvt: Array) -> Sequence[Any]:
    """a P = Q R with pivoted columns, which count from 1. Columns with jpvt != 0 stay in front, in their order."""
    if not a.size:
        return a, np.arange(1, a.shape[1] + 1, dtype=np.int32), None
    fixed = np.flatnonzero(jpvt)
    free = np.flatnonzero(jpvt == 0)
    if not fixed.size:
        return _lapack("geqp3", a)(a)[:3]
    # SciPy's wrapper leaves every column free: the fixed ones are factored first, then the rest of what remains.
    head, head_taus = _geqrf(call, np.asfortranarray(a[:, fixed]))
    adjoint = "C" if _is_complex(a) else "T"
    rest = _apply_q(head[:, : len(head_taus)], head_taus, np.asfortranarray(a[:, free]), "L", adjoint)
    below, columns = rest[len(head_taus) :], free
    qr = np.concatenate([head, rest], axis=1)
    taus = list(head_taus)
    if below.size:
        tail, places, tail_taus = _lapack("geqp3", below)(below)[:3]
        qr[:, len(fixed) :] = rest[:, places - 1]
        qr[len(head_taus) :, len(fixed) :] = tail
        columns = free[places - 1]
        taus.extend(tail_taus)
    return qr, np.concatenate([fixed, columns]) + 1, np.array(taus, a.dtype)


@_routine("orgqr ungqr ProductOfElementaryHouseholderReflectors", 2, 1)
def _orgqr(call: CustomCall, a: Array, taus: Array) -> Sequence[Any]:
    """Q = H(0) H(1) …, its first columns, from the result of geqrf."""
    if not a.size or not taus.size:
        return (np.eye(*a.shape, dtype=a.dtype),)
    return (_lapack("ungqr" if _is_complex(a) else "orgqr", a)(a, taus)[0],)


def _apply_q(a: Array, taus: Array, c: Array, side: str, trans: str) -> Array:
    if not c.size or not taus.size:
        return c
    function = _lapack("unmqr" if _is_complex(a) else "ormqr", a)
    work = function(side, trans, a, taus, c, -1)[1]
    return function(side, trans, a, taus, c, max(1, int(work[0].real)))[0]


@_routine("ormqr unmqr", 2, 1, 2)
def _ormqr(call: CustomCall, a: Array, taus: Array, c: Array) -> Sequence[Any]:
    """Q c, or Q^H c, or with left = false c Q, c Q^H, for the Q of geqrf."""
    trans = ("C" if _is_complex(a) else "T") if call.attributes.get("transpose") else "N"
    side = "L" if call.attributes.get("left", True) else "R"
    return (_apply_q(a[:, : taus.shape[0]], taus, c, side, trans),)


# ---------------------------------------------------------------------------------------------- eigenvalues


def _svd(name: str, call: CustomCall, a: Array) -> Sequence[Any]:
    mode = _letter(call, "mode")
    compute, full = mode != "N", mode == "A"
    work = _lapack(name + "_lwork", a)(*a.shape, compute_uv=compute, full_matrices=full)[0]
    u, s, vt, info = _lapack(name, a)(a, compute_uv=compute, full_matrices=full, lwork=int(work.real))
    return a, s, u if compute else None, vt if compute else None, info


@_routine("gesdd", 2)
def _gesdd(call: CustomCall, a: Array) -> Sequence[Any]:
    """a = U S V^H by divide and conquer. The first result is scratch memory."""
    return _svd("gesdd", call, a)


@_routine("gesvd", 2)
def _gesvd(call: CustomCall, a: Array) -> Sequence[Any]:
    """a = U S V^H by QR iteration."""
    return _svd("gesvd", call, a)


@_routine("syevd heevd", 2)
def _syevd(call: CustomCall, a: Array) -> Sequence[Any]:
    """a = V diag(w) V^H for a Hermitian matrix, of which one triangle is read."""
    if not a.size:
        return a, None, 0
    vectors = _letter(call, "mode") == "V"
    name = "heevd" if _is_complex(a) else "syevd"
    w, v, info = _lapack(name, a)(a, compute_v=vectors, lower=_letter(call, "uplo") == "L")
    return v if vectors else None, w, info


@_routine("Eigh", 2)
def _eigh(call: CustomCall, a: Array) -> Sequence[Any]:
    """XLA's own name: (V, w). `config` is "LOWER,SORT,ITERATIONS,TOLERANCE"; values always come sorted."""
    if not a.size:
        return a, None
    w, v, info = _lapack("heevd" if _is_complex(a) else "syevd", a)(a, lower=not call.config.startswith("0"))
    return (v, w) if info == 0 else (np.full_like(v, np.nan), np.full_like(w, np.nan))


def _unpacked(values: Array, packed: Array) -> Array:
    """Complex eigenvectors from LAPACK's real form: a pair of conjugate values shares two columns (re, im)."""
    vectors = packed.astype(np.result_type(packed.dtype, np.complex64))
    column = 0
    while column < len(values):
        if values[column] != 0 and column + 1 < len(values):
            re, im = packed[:, column], packed[:, column + 1]
            vectors[:, column], vectors[:, column + 1] = re + 1j * im, re - 1j * im
            column += 1
        column += 1
    return vectors


@_routine("geev", 2)
def _geev(call: CustomCall, a: Array) -> Sequence[Any]:
    """Eigenvalues and left, right eigenvectors of any matrix; a real one's values come as two results."""
    left, right = (_letter(call, name) == "V" for name in ("compute_left", "compute_right"))
    if not a.size:
        return (None,) * (len(call.results) - 1) + (0,)
    if not np.isfinite(a).all():  # LAPACK may never end on nan; jaxlib gives nan too
        return (np.nan,) * (len(call.results) - 1) + (-4,)
    *w, vl, vr, info = _lapack("geev", a)(a, compute_vl=left, compute_vr=right)
    if not _is_complex(a):
        vl, vr = (_unpacked(w[1], v) if wanted else None for v, wanted in ((vl, left), (vr, right)))
    return *w, vl if left else None, vr if right else None, info


def _select_none(*_: Any) -> bool:
    return False


@_routine("gees", 2)
def _gees(call: CustomCall, a: Array) -> Sequence[Any]:
    """Schur form a = Z T Z^H: T, Z, eigenvalues, the number of selected ones, info."""
    if not a.size:
        return (None,) * (len(call.results) - 1) + (0,)
    vectors = _letter(call, "mode") == "V"
    t, selected, *w, z, _, info = _lapack("gees", a)(_select_none, a, compute_v=vectors)
    return t, z if vectors else None, *w, selected, info


@_routine("gehrd", 2)
def _gehrd(call: CustomCall, a: Array) -> Sequence[Any]:
    """Hessenberg form: H with Householder vectors below, their factors. Rows low..high count from 1."""
    if not a.size:
        return a, None, 0
    low, high = int(call.attributes.get("low", 1)), int(call.attributes.get("high", a.shape[0]))
    return _lapack("gehrd", a)(a, lo=low - 1, hi=high - 1)


@_routine("sytrd hetrd", 2)
def _sytrd(call: CustomCall, a: Array) -> Sequence[Any]:
    """Tridiagonal form of a Hermitian matrix: vectors, diagonal, off-diagonal, their factors."""
    if not a.size:
        return a, None, None, None, 0
    return _lapack("hetrd" if _is_complex(a) else "sytrd", a)(a, lower=_letter(call, "uplo") == "L")


# ---------------------------------------------------------------------------------------------- systems of equations


@_routine("trsm", 2, 2)
def _trsm(call: CustomCall, a: Array, b: Array) -> Sequence[Any]:
    """x with op(a) x = b (side L) or x op(a) = b, for triangular a."""
    if not b.size:
        return (b,)
    trans = {"N": 0, "T": 1, "C": 2}[_letter(call, "trans_x")]
    lower, unit = _letter(call, "uplo") == "L", _letter(call, "diag") == "U"
    solve: Any = _scipy_linalg().get_blas_funcs("trsm", (a, b))
    return (solve(1, a, b, side=_letter(call, "side") == "R", lower=lower, trans_a=trans, diag=unit),)


@_routine("gtsv", 1, 1, 1, 2)
def _gtsv(call: CustomCall, dl: Array, d: Array, du: Array, b: Array) -> Sequence[Any]:
    """x for the tridiagonal matrix with diagonals dl[1:], d, du[:-1]; the first three results are scratch memory."""
    if not b.size:
        return dl, d, du, b, 0
    _, _, _, x, info = _lapack("gtsv", d)(dl[1:], d, du[:-1], b)
    return dl, d, du, x, info


@_routine("tridiagonal_solve_perturbed_ffi", 1, 1, 1, 2)
def _perturbed(call: CustomCall, dl: Array, d: Array, du: Array, b: Array) -> Sequence[Any]:
    """As gtsv; pivots below eps * max |U| become that number, so that singular systems have a solution too."""
    if not b.size:
        return (b,)
    # SciPy's wrapper takes no fewer than three rows: rows of the identity behind them change nothing.
    n, more = len(d), max(0, 3 - len(d))
    dl, d, du = (np.concatenate([x, np.full(more, fill, x.dtype)]) for x, fill in ((dl, 0), (d, 1), (du, 0)))
    lower, diagonal, upper, second, pivots, _ = _lapack("gttrf", d)(dl[1:], d, du[:-1])
    parts = diagonal[:n], upper[: n - 1], second[: max(0, n - 2)]
    least = np.finfo(d.dtype).eps * max(np.abs(x).max(initial=0) for x in parts)
    size: Array = np.abs(diagonal)
    pivot: Array = diagonal.copy()
    pivot[size < least] *= least / np.where(size == 0, 1, size)[size < least]
    pivot[size == 0] = least
    padded = np.concatenate([b, np.zeros((more, b.shape[1]), b.dtype)])
    return (_lapack("gttrs", d)(lower, pivot, upper, second, pivots, padded)[0][:n],)
