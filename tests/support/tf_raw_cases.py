"""Forms of TensorFlow's operations that its Python functions do not write (any more), and diagonals of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tf_cases import Case, Spec, below, between, case, exactly

tf: Any = None

M = Spec(("n", "m"))
M3 = Spec(("n", 3))
V = Spec(("n",))
X = Spec(("n", 5, 4, 3))
C = Spec((3,), "float32", between(0.5, 2.0))
SEED = Spec((2,), "int32", exactly([7, -3]))
ALIGNS = ("LEFT_LEFT", "LEFT_RIGHT", "RIGHT_LEFT", "RIGHT_RIGHT")
BANDS = {"main": 0, "above": 1, "below": -2, "tridiagonal": (-1, 1), "upper": (1, 3), "lower": (-2, -1)}


def raw(name: str, *operands: str, **attributes: Any) -> Callable[..., Any]:
    """The operation called on arguments by the names of its operands."""
    return lambda *args: getattr(tf.raw_ops, name)(**dict(zip(operands, args, strict=True)), **attributes)


def _norm(name: str) -> Callable[..., Any]:
    def call(x: Any, scale: Any, offset: Any) -> Any:
        found = getattr(tf.raw_ops, name)(x=x, scale=scale, offset=offset, mean=[], variance=[], is_training=True)
        return found.y, found.batch_mean, found.batch_variance

    return call


def _scatter_nd(m: Any, i: Any, u: Any) -> Any:
    for k, name in enumerate(("add", "max", "sub", "min", "update")):
        getattr(m.t, f"scatter_nd_{name}")(i, u * (1 + k))
    known = tf.raw_ops.VarIsInitializedOp(resource=m.t.handle)
    return m.t.read_value(), tf.raw_ops.VariableShape(input=m.t.handle), known


def _table() -> Any:
    module = tf.Module()
    module.t = tf.Variable(tf.reshape(tf.range(12.0), [4, 3]))
    return module


def _generator(x: Any, seed: Any) -> Any:
    key, counter, alg = tf.raw_ops.StatelessRandomGetKeyCounterAlg(seed=seed)
    drawn = tf.raw_ops.StatelessRandomUniformV2(shape=tf.shape(x), key=key, counter=counter, alg=alg)
    return drawn, key, counter


def _band_of(rows: int, columns: int, k: Any) -> tuple[int, ...]:
    """The shape of diagonals of matrices: how many (where there are several), and the longest."""
    low, high = (k, k) if isinstance(k, int) else k
    longest = min(rows + min(high, 0), columns - max(low, 0))
    return (longest,) if low == high else (high - low + 1, longest)


def _diagonals() -> dict[str, Case]:
    found: dict[str, Case] = {}
    for name, k in BANDS.items():
        for align in ALIGNS if not isinstance(k, int) else ("RIGHT_LEFT",):
            found |= {f"{f}_{name}_{align.lower()}": c for f, c in _band(k, align).items()}
    return found


def _band(k: Any, align: str) -> dict[str, Case]:
    options = {"k": k, "align": align}
    diagonals, matrices = Spec(("n", *_band_of(4, 6, k))), Spec(("n", 4, 6))
    return {
        "diag": case(
            lambda x, p: (
                tf.linalg.diag(x, **options),
                tf.linalg.diag(x, num_rows=4, num_cols=6, padding_value=p, **options),
            ),
            diagonals,
            Spec(()),
        ),
        "diag_part": case(lambda x, p: tf.linalg.diag_part(x, padding_value=p, **options), matrices, Spec(())),
        # TensorFlow does not infer the shape of several diagonals of an open batch.
        "set_diag": case(
            lambda x, d: tf.linalg.set_diag(x, d, **options), Spec((2, 4, 6)), Spec((2, *diagonals.shape[1:]))
        ),
    }


CASES: dict[str, Case] = {
    **_diagonals(),
    # Every diagonal must be in the matrix.
    "diag_part_open": case(lambda x: tf.linalg.diag_part(x, k=(-1, 2)), M, least={"n": 2, "m": 3}),
    "diag_open": case(lambda x: tf.linalg.diag(x), M),
    # TensorFlow's own inference takes numbers that it does not know for -1.
    "diag_computed": case(
        lambda x, n: tf.raw_ops.MatrixDiagV3(
            diagonal=x, k=1, num_rows=n, num_cols=n, padding_value=7.0, align="RIGHT_LEFT"
        ),
        M3,
        Spec((), "int32", exactly(-1)),
    ),
    "diag_v1": case(raw("MatrixDiag", "diagonal"), M),
    "diag_part_v1": case(raw("MatrixDiagPart", "input"), Spec((2, "n", "m"))),
    "set_diag_v1": case(raw("MatrixSetDiag", "input", "diagonal"), Spec(("n", 3, 5)), M3),
    "trace": case(lambda x: tf.linalg.trace(x), M),
    # ------------------------------------------------------------------------------------------ arithmetic
    "accumulate": case(lambda x, y: tf.raw_ops.AccumulateNV2(inputs=[x, y, x], shape=[None, 3]), M3, M3),
    "add": case(raw("Add", "x", "y"), M, V, legal=lambda s: s["n"] == s["m"] or 1 in (s["n"], s["m"])),
    "div": case(
        raw("Div", "x", "y"),
        Spec(("n",), "int32"),
        Spec(("n",), "int32", between(1, 9)),
    ),
    "div_float": case(raw("Div", "x", "y"), V, Spec(("n",), "float32", between(1, 9))),
    "reciprocal_gradient": case(raw("ReciprocalGrad", "y", "dy"), V, V),
    "clip": case(
        raw("ClipByValue", "t", "clip_value_min", "clip_value_max"),
        M,
        Spec((), "float32", exactly(-0.5)),
        Spec((), "float32", exactly(0.75)),
    ),
    "to_bool": case(raw("ToBool", "input"), Spec(())),
    # TensorFlow folds it to true when it converts the program, also where there is no element.
    "to_bool_tensor": case(raw("ToBool", "input"), M, least=1),
    "bias_add": case(raw("BiasAddV1", "value", "bias"), X, C),
    "batch_matmul": case(
        raw("BatchMatMul", "x", "y", adj_y=True), Spec((2, "n", 4)), Spec((2, "m", 4)), tolerance=1e-5
    ),
    "batch_matmul_v3": case(
        lambda x, y: tf.raw_ops.BatchMatMulV3(x=x, y=y, Tout=tf.float32),
        Spec((2, "n", 4)),
        Spec((4, "m")),
        tolerance=1e-5,
    ),
    "fused_batch_norm": case(_norm("FusedBatchNorm"), X, C, C, tolerance=1e-4),
    "fused_batch_norm_v2": case(_norm("FusedBatchNormV2"), X, C, C, tolerance=1e-4),
    # ------------------------------------------------------------------------------------------ moving
    "concat": case(lambda x, y: tf.raw_ops.Concat(concat_dim=1, values=[x, y]), M, Spec(("n", 2))),
    "gather": case(raw("Gather", "params", "indices"), Spec((5, 3)), Spec(("n",), "int32", below(5))),
    "invert_permutation": case(raw("InvertPermutation", "x"), Spec((4,), "int32", exactly([2, 0, 3, 1]))),
    "bincount": case(
        raw("Bincount", "arr", "size", "weights"),
        Spec(("n",), "int32", below(6)),
        Spec((), "int32", exactly(5)),
        V,
    ),
    "unique_v2": case(lambda x: tuple(tf.raw_ops.UniqueV2(x=x, axis=[0])), Spec(("n",), "int32", below(4))),
    "copies": case(
        lambda x: (
            tf.raw_ops.DeepCopy(x=x),
            tf.raw_ops.Snapshot(input=x),
            tf.raw_ops.PreventGradient(input=x),
            tf.raw_ops.Rank(input=x),
        ),
        M,
    ),
    "empty": case(lambda x: tf.raw_ops.Empty(shape=tf.shape(x), dtype=tf.float32, init=True), M),
    "print": case(lambda x: tf.raw_ops.Print(input=x, data=[x], message="x"), M),
    "nothing": case(lambda x: (tf.raw_ops.NoOp(), x)[1], M),
    # ------------------------------------------------------------------------------------------ images, transforms
    "project": case(
        raw("ImageProjectiveTransformV2", "images", "transforms", "output_shape", interpolation="BILINEAR"),
        X,
        Spec((1, 8), "float32", exactly([1.1, 0.1, -0.3, -0.2, 0.9, 0.4, 0.01, 0.0])),
        Spec((2,), "int32", exactly([6, 3])),
        tolerance=1e-4,
    ),
    "non_max_suppression": case(
        lambda boxes, scores: tf.raw_ops.NonMaxSuppressionV3(
            boxes=boxes, scores=scores, max_output_size=4, iou_threshold=0.3, score_threshold=0.1
        ),
        Spec((7, 4), "float32", between(0, 1)),
        Spec((7,), "float32", between(0, 1)),
    ),
    "fft3d": case(
        lambda x, y: (
            tf.raw_ops.FFT3D(input=tf.complex(x, y)),
            tf.raw_ops.IFFT2D(input=tf.complex(x, y)),
            tf.raw_ops.RFFT3D(input=x, fft_length=[3, 4, 6]),
            tf.raw_ops.IRFFT3D(input=tf.complex(x, y), fft_length=[3, 4, 6]),
        ),
        Spec(("n", 3, 4, 6)),
        Spec(("n", 3, 4, 6)),
        tolerance=1e-4,
    ),
    # ------------------------------------------------------------------------------------------ random numbers
    "key_counter_and_algorithm": case(_generator, M, SEED),
    "algorithm": case(lambda: tf.raw_ops.StatelessRandomGetAlg()),
    "full_int": case(
        lambda x, s: tf.raw_ops.StatelessRandomUniformFullInt(shape=[tf.shape(x)[0]], seed=s, dtype=tf.int32), V, SEED
    ),
    "truncated_normal": case(lambda x, s: tf.raw_ops.StatelessTruncatedNormal(shape=[tf.shape(x)[0]], seed=s), V, SEED),
    # ------------------------------------------------------------------------------------------ variables
    "scatter_nd": case(
        _scatter_nd, Spec((2, 2), "int32", exactly([[2, 0], [0, 1]])), Spec((2,)), state=_table, calls=2, tolerance=1e-5
    ),
}
