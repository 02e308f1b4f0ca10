"""Random numbers, linear algebra and Fourier transforms of TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf_cases import Case, Spec, case, exactly

tf: Any = None

SEED = Spec((2,), "int32", exactly([7, -3]))
N = Spec(("n",))


def _definite(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    x = rng.normal(size=shape)
    return (x @ np.swapaxes(x, -1, -2) + shape[-1] * np.eye(shape[-1])).astype(dtype)


def _regular(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    """Matrices far from singular, whose rows must change places."""
    rows = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape[:-1]), axis=-1)
    return (rng.normal(size=shape) + 6 * np.eye(shape[-1])[rows]).astype(dtype)


def _stateless(name: str, dtype: str = "float32", **options: Any) -> Any:
    return lambda x, s: getattr(tf.random, name)([tf.shape(x)[0], 3], s, dtype=getattr(tf, dtype), **options)


def _generator(m: Any, x: Any) -> Any:
    return m.g.uniform([tf.shape(x)[0], 3]), m.g.normal([5]), m.g.uniform([4], minval=0, maxval=9, dtype=tf.int32)


def _with_generator() -> Any:
    module = tf.Module()
    module.g = tf.random.Generator.from_seed(11)
    module.state = module.g.state
    return module


A = Spec(("n", 4, 4), "float32", _regular)
D = Spec(("n", 4, 4), "float32", _definite)
Z = Spec(("n", 8))

CASES: dict[str, Case] = {
    **{
        f"uniform_{d}": case(_stateless("stateless_uniform", d), N, SEED, tolerance=0)
        for d in ("float32", "float64", "float16", "bfloat16")
    },
    **{
        f"uniform_{d}": case(_stateless("stateless_uniform", d, minval=-5, maxval=1000), N, SEED)
        for d in ("int32", "int64")
    },
    **{
        f"full_{d}": case(_stateless("stateless_uniform", d, minval=None, maxval=None), N, SEED)
        for d in ("int32", "int64", "uint32", "uint64")
    },
    **{f"normal_{d}": case(_stateless("stateless_normal", d), N, SEED, tolerance=2e-6) for d in ("float32", "float64")},
    "normal_float16": case(_stateless("stateless_normal", "float16"), N, SEED, tolerance=2e-3),
    **{
        f"truncated_{d}": case(_stateless("stateless_truncated_normal", d), N, SEED, tolerance=2e-6)
        for d in ("float32", "float64")
    },
    "uniform_static": case(lambda s: tf.random.stateless_uniform([3, 5], s, minval=2.0, maxval=3.0), SEED, tolerance=0),
    "uniform_v1": case(
        lambda x, s: tf.raw_ops.StatelessRandomUniform(shape=[tf.shape(x)[0]], seed=s), N, SEED, tolerance=0
    ),
    "normal_v1": case(lambda x, s: tf.raw_ops.StatelessRandomNormal(shape=[tf.shape(x)[0]], seed=s), N, SEED),
    "ints_v1": case(
        lambda x, s: tf.raw_ops.StatelessRandomUniformInt(shape=[tf.shape(x)[0]], seed=s, minval=3, maxval=99),
        N,
        SEED,
    ),
    "split_seed": case(
        lambda s: (tf.random.experimental.stateless_split(s, 3), tf.random.experimental.stateless_fold_in(s, 5)), SEED
    ),
    "dropout": case(lambda x, s: tf.nn.experimental.stateless_dropout(x, 0.3, s), N, SEED),
    "generator": case(_generator, N, state=_with_generator, calls=3),
    # ------------------------------------------------------------------------------------------ matrices
    "cholesky": case(lambda x: tf.linalg.cholesky(x), Spec((3, 4, 4), "float32", _definite), tolerance=1e-4),
    "cholesky_open": case(lambda x: tf.linalg.cholesky(x), D, tolerance=1e-4),
    "triangular_solve": case(
        lambda x, y: (tf.linalg.triangular_solve(x, y), tf.linalg.triangular_solve(x, y, lower=False, adjoint=True)),
        Spec((3, 4, 4), "float32", _definite),
        Spec((3, 4, 2)),
        tolerance=1e-4,
    ),
    "triangular_solve_open": case(lambda x, y: tf.linalg.triangular_solve(x, y), D, Spec(("n", 4, 2)), tolerance=1e-4),
    "inverse": case(lambda x: (tf.linalg.inv(x), tf.linalg.inv(x, adjoint=True)), A, tolerance=1e-3),
    "determinant": case(lambda x: (tf.linalg.det(x), *tf.linalg.slogdet(x)), A, tolerance=1e-4),
    "solve": case(
        lambda x, y: (tf.linalg.solve(x, y), tf.linalg.solve(x, y, adjoint=True)),
        A,
        Spec(("n", 4, 2)),
        tolerance=1e-3,
    ),
    "solve_one": case(lambda x, y: tf.linalg.solve(x, y), Spec((5, 5)), Spec((5, "n")), tolerance=1e-3),
    # ------------------------------------------------------------------------------------------ Fourier
    "fft": case(
        lambda x, y: (tf.signal.fft(tf.complex(x, y)), tf.signal.ifft(tf.complex(x, y))),
        Z,
        Z,
        tolerance=1e-5,
    ),
    "fft_planes": case(
        lambda x, y: (tf.signal.fft2d(tf.complex(x, y)), tf.signal.ifft3d(tf.complex(x, y))),
        (("n", 3, 4, 5),),
        (("n", 3, 4, 5),),
        tolerance=1e-5,
    ),
    "rfft": case(lambda x: (tf.signal.rfft(x), tf.signal.rfft(x, [12]), tf.signal.rfft(x, [5])), Z, tolerance=1e-5),
    "irfft": case(
        lambda x, y: (tf.signal.irfft(tf.complex(x, y)), tf.signal.irfft(tf.complex(x, y), [9])),
        Z,
        Z,
        tolerance=1e-5,
    ),
    "rfft_planes": case(
        lambda x: (tf.signal.rfft2d(x), tf.signal.irfft2d(tf.signal.rfft2d(x), [4, 6])),
        (("n", 4, 6),),
        tolerance=1e-5,
    ),
    "stft": case(
        lambda x: tf.abs(tf.signal.stft(x, 8, 4)),
        (("n", "m"),),
        tolerance=1e-5,
    ),
}
