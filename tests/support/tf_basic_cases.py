"""Elementwise operations, shapes and slices of TensorFlow, for every kind of dimension."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf_cases import Case, Spec, below, between, case, exactly

tf: Any = None

M = Spec(("n", "m"))
M4 = Spec(("n", 4))
V = Spec(("n",))
I0 = Spec((), "int32", exactly(2))

CASES: dict[str, Case] = {
    # ------------------------------------------------------------------------------------------ shapes
    "reshape": case(lambda x: tf.reshape(x, [-1, 4]), (("n", 8),)),
    "reshape_rest": case(lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), (("n", 8, 2),)),
    "reshape_two": case(lambda x: tf.reshape(x, [tf.shape(x)[1], tf.shape(x)[0], -1]), (("n", "m", 2),)),
    "reshape_vector": case(lambda x, s: tf.reshape(x, s), (("n", 6),), Spec((2,), "int32", exactly([-1, 3]))),
    "reshape_merge": case(lambda x: tf.reshape(x, [tf.shape(x)[0] * tf.shape(x)[1], 3]), (("n", "m", 3),)),
    "flatten": case(lambda x: tf.reshape(x, [-1]), (("n", "m", 3),)),
    # TensorFlow takes a size of 0 for 1 here: of no rows it makes as many as of one.
    "reshape_nothing": case(lambda x: tf.reshape(x, [-1, 4, 0]), (("n", 0, 2, 4),), least=1),
    "expand_dims": case(lambda x: tf.expand_dims(tf.expand_dims(x, 1), -1), M),
    "squeeze": case(lambda x: tf.squeeze(x, [1]), (("n", 1, "m"),)),
    "transpose": case(lambda x: tf.transpose(x, [2, 0, 1]), (("n", 3, "m"),)),
    "pack": case(lambda x, y: tf.stack([x, y, x], axis=1), M, M),
    "unpack": case(lambda x: tf.unstack(x, axis=1), M4),
    "unpack_rows": case(lambda x: tf.unstack(x, axis=0), ((3, "n"),)),
    "concat": case(lambda x, y: tf.concat([x, y, x], axis=0), M4, (("m", 4),)),
    "concat_last": case(lambda x, y: tf.concat([x, y], axis=-1), M, (("n", "k"),)),
    "split": case(lambda x: tf.split(x, 2, axis=1), M4),
    # Halves, and one row with the rest.
    "split_rows": case(lambda x: tf.split(x, 2, axis=0), M, legal=lambda s: s["n"] % 2 == 0),
    "split_v": case(lambda x: tf.split(x, [1, -1], axis=1), M4),
    "split_v_rows": case(lambda x: tf.split(x, [1, -1], axis=0), M, least={"n": 1}),
    "tile": case(lambda x: tf.tile(x, [2, 3]), M),
    "tile_one": case(lambda x: tf.tile(x, [1, 2, 1]), (("n", "m", 3),)),
    "tile_computed": case(lambda x, n: tf.tile(x, [n, 1]), M, I0),
    "broadcast_to": case(lambda x, y: tf.broadcast_to(x, tf.shape(y)), (("m",),), M),
    "broadcast_args": case(lambda x, y: tf.broadcast_dynamic_shape(tf.shape(x), tf.shape(y)), M, (("n", 1),)),
    "shape_n": case(lambda x, y: tf.shape_n([x, y]), M, V),
    "size_and_rank": case(lambda x: (tf.size(x), tf.rank(x), tf.shape(x, out_type=tf.int64)), M),
    "identities": case(lambda x: (tf.stop_gradient(x) + tf.identity(x), tf.identity_n([x, x + 1])), M),
    "ensure_shape": case(lambda x: tf.ensure_shape(x, [None, 4]), M, legal=lambda s: s["m"] == 4),
    "meshgrid": case(lambda x, y: tf.meshgrid(x, y), V, (("m",),)),
    # ------------------------------------------------------------------------------------------ made tensors
    "range": case(lambda n: tf.range(n), Spec((), "int32", exactly(5))),
    "range_steps": case(lambda x: tf.range(1, tf.shape(x)[0] + 7, 3), M),
    "range_back": case(lambda n: tf.range(n, -3, -2), I0),
    "range_delta": case(lambda n, d: tf.range(n, 9, d), I0, Spec((), "int32", exactly(3))),
    "range_float": case(lambda a: tf.range(a, 2.0, 0.3), Spec((), "float32", exactly(0.5))),
    "fill": case(lambda x: tf.fill(tf.shape(x), 2.0), M),
    "zeros_and_ones": case(lambda x: tf.zeros_like(x) + tf.ones_like(x) * 3, M),
    "zeros": case(lambda x: tf.zeros([tf.shape(x)[0], 3], tf.int32), M),
    "linspace": case(lambda n: tf.linspace(0.0, 1.0, n), Spec((), "int32", exactly(7))),
    "linspace_raw": case(
        lambda a, n: tf.raw_ops.LinSpace(start=a, stop=3.0, num=n), Spec(()), Spec((), "int32", exactly(4))
    ),
    "eye": case(lambda x: tf.eye(tf.shape(x)[0]), M),
    "one_hot": case(lambda x: tf.one_hot(x, 5), Spec(("n",), "int32")),
    "one_hot_first": case(lambda x: tf.one_hot(x, 5, on_value=2.0, off_value=-1.0, axis=0), Spec(("n", "m"), "int64")),
    "one_hot_depth": case(lambda x, n: tf.one_hot(x, n), Spec(("n",), "int32"), I0),
    "sequence_mask": case(lambda n: tf.sequence_mask(n, 5), Spec(("n",), "int32")),
    "sequence_mask_longest": case(lambda n: tf.sequence_mask(n), Spec(("n",), "int32", below(6))),
    # ------------------------------------------------------------------------------------------ padding
    "pad": case(lambda x: tf.pad(x, [[1, 1], [2, 0]], constant_values=3.0), M),
    "pad_computed": case(lambda x, p: tf.pad(x, p), M, Spec((2, 2), "int32", below(3))),
    # A mirrored edge is as long as the dimension at most, without its own end one less.
    "reflect": case(lambda x: tf.pad(x, [[1, 1], [2, 0]], "REFLECT"), M, least={"n": 2, "m": 3}),
    "symmetric": case(lambda x: tf.pad(x, [[1, 1], [2, 0]], "SYMMETRIC"), M4, least=1),
    "mirror_computed": case(
        lambda x, p: tf.pad(x, p, "SYMMETRIC"),
        M,
        Spec((2, 2), "int32", below(3)),
        least=2,
    ),
    "mirror_gradient": case(
        lambda x: tf.raw_ops.MirrorPadGrad(input=x, paddings=[[1, 1], [2, 0]], mode="REFLECT"),
        M,
        least={"n": 4, "m": 5},
    ),
    "symmetric_gradient": case(
        lambda x: tf.raw_ops.MirrorPadGrad(input=x, paddings=[[1, 1], [2, 0]], mode="SYMMETRIC"),
        M,
        least={"n": 3, "m": 4},
    ),
    # ------------------------------------------------------------------------------------------ slices
    "strided_slice": case(lambda x: x[1:, ::2], M),
    "strided_slice_back": case(lambda x: x[::-1, 1], M4),
    "strided_slice_back_two": case(lambda x: x[4:0:-2, -2::-1], M),
    "strided_slice_new": case(lambda x: x[..., tf.newaxis, -1], M4),
    "strided_slice_ends": case(lambda x: x[-3:-1, 2:100], M),
    "strided_slice_step": case(lambda x: x[1:-1:3, 5:1], M),
    "strided_slice_computed": case(lambda x, i: x[i : i + 2], Spec((6, 4)), I0),
    "strided_slice_computed_back": case(
        lambda x, i: x[i::-1, i:0:-1],
        M,
        I0,
    ),
    "strided_slice_clamped": case(lambda x, i: x[i : i + 2, -i:], M, I0),
    # What is picked, or sliced with given sizes, must be there.
    "strided_slice_pick": case(lambda x, i: x[i], M4, I0, least=3),
    "strided_slice_pick_end": case(lambda x, i: x[-i, ..., -1], (("n", 3, "m"),), I0, least={"n": 2, "m": 1}),
    "strided_slice_static": case(lambda x: (x[1:5:2, ::-1], x[2], x[..., 1:2]), Spec((6, 4))),
    "slice": case(lambda x, i: tf.slice(x, [i, 0], [1, 2]), M, I0, least={"n": 3, "m": 2}),
    "slice_rest": case(lambda x, i: tf.slice(x, [i, 0], [-1, 2]), M, I0, least=2),
    "slice_sizes": case(
        lambda x, s: tf.slice(x, [1, 0], s),
        M,
        Spec((2,), "int32", exactly([2, -1])),
        least={"n": 3},
    ),
    "strided_slice_gradient": case(
        lambda x, d: tf.raw_ops.StridedSliceGrad(
            shape=tf.shape(x), begin=[1, 0], end=[0, 0], strides=[2, 3], dy=d, end_mask=3
        ),
        Spec((5, "n")),
        Spec((2, "m")),
        legal=lambda s: s["m"] == -(-s["n"] // 3),
    ),
    "strided_slice_gradient_back": case(
        lambda x, d: tf.raw_ops.StridedSliceGrad(
            shape=tf.shape(x),
            begin=[-1, 2],
            end=[0, 0],
            strides=[-2, 1],
            dy=d,
            end_mask=1,
            begin_mask=1,
            shrink_axis_mask=2,
        ),
        Spec(("n", 4)),
        Spec(("m",)),
        legal=lambda s: s["m"] == -(-s["n"] // 2),
    ),
    "strided_slice_update": case(
        lambda x, v: tf.raw_ops.TensorStridedSliceUpdate(
            input=x, begin=[0, 1], end=[0, 3], strides=[2, 1], value=v, begin_mask=1, end_mask=1
        ),
        M4,
        Spec(("m", 2)),
        # Every other row, or one that is repeated. Where there are none, TensorFlow does not compare the sizes.
        legal=lambda s: s["m"] in (1, -(-s["n"] // 2)),
    ),
    "reverse": case(lambda x: tf.reverse(x, [1]), M),
    # No sequence is longer than the dimension.
    "reverse_sequence": case(
        lambda x, n: tf.reverse_sequence(x, n, seq_axis=1),
        (("n", "m", 2),),
        Spec(("n",), "int32", below(3)),
        legal=lambda s: s["m"] >= 2 or s["n"] == 0,
    ),
    "reverse_sequence_batch": case(
        lambda x, n: tf.reverse_sequence(x, n, seq_axis=0, batch_axis=2),
        ((5, "m", "n"),),
        Spec(("n",), "int64", below(6)),
    ),
    "roll": case(lambda x: tf.roll(x, 1, 0), M),
    "roll_computed": case(lambda x, n: tf.roll(x, [n, -5], [0, 1]), M, I0),
    "roll_static": case(lambda x: tf.roll(x, [7, -5], [0, 1]), Spec((3, 4))),
    # ------------------------------------------------------------------------------------------ blocks and diagonals
    "space_to_depth": case(lambda x: tf.nn.space_to_depth(x, 2), (("n", 8, 4, 3),)),
    "space_to_depth_open": case(
        lambda x: tf.nn.space_to_depth(x, 2),
        (("n", "m", "k", 3),),
        legal=lambda s: s["m"] % 2 == s["k"] % 2 == 0,
    ),
    "depth_to_space": case(lambda x: tf.nn.depth_to_space(x, 2), (("n", 4, 4, 12),)),
    "space_to_batch": case(lambda x: tf.space_to_batch(x, [2, 2], [[1, 1], [0, 2]]), (("n", 8, 4, 3),)),
    "space_to_batch_open": case(
        lambda x: tf.space_to_batch(x, [2, 3], [[1, 0], [0, 2]]),
        (("n", "m", "k", 3),),
        legal=lambda s: s["m"] % 2 == 1 and s["k"] % 3 == 1,
    ),
    "batch_to_space": case(
        lambda x: tf.batch_to_space(x, [2, 2], [[1, 0], [0, 1]]),
        (("n", 4, 4, 3),),
        runs=[{"n": 4}],
        sizes=range(0, 800, 4),
        legal=lambda s: s["n"] % 4 == 0,
    ),
    # As many diagonals beside the main one as there are rows, and columns, at most.
    "band_part": case(
        lambda x: (tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 1, 2)),
        M,
        least={"n": 1, "m": 2},
    ),
    "band_part_computed": case(lambda x, i: tf.linalg.band_part(x, i, i - 3), M, I0, least={"n": 2}),
    "diag": case(lambda x: tf.linalg.tensor_diag(x), V),
    "diag_part": case(lambda x: tf.linalg.tensor_diag_part(x), Spec((3, 2, 3, 2))),
    # ------------------------------------------------------------------------------------------ choices
    "where": case(
        lambda x, y: tf.where(x > y, x, y),
        M,
        M4,
        runs=[{"n": 3, "m": 4}, {"n": 1, "m": 1}, {"n": 0, "m": 1}, {"n": 0, "m": 4}],
        legal=lambda s: s["m"] in (1, 4),
    ),
    "where_scalar": case(lambda x: tf.where(x > 0, x, 0.0), M),
    "select_rows": case(lambda c, x, y: tf.raw_ops.Select(condition=c, x=x, y=y), Spec(("n",), "bool"), M4, M4),
    "clip": case(lambda x: tf.clip_by_value(x, -0.5, 0.7), M),
    "add_n": case(lambda x, y: tf.add_n([x, y, x]), M, M),
    "broadcast_both": case(
        lambda x, y: x * y,
        (("n", "m"),),
        (("k", "m"),),
        legal=lambda s: s["n"] == s["k"] or 1 in (s["n"], s["k"]),
    ),
    "bitcast": case(lambda x: (tf.bitcast(x, tf.int32), tf.bitcast(x, tf.uint8)), M),
    "casts": case(
        lambda x: (tf.cast(x, tf.int32), tf.cast(x, tf.bool), tf.cast(x, tf.float64), tf.cast(x > 0, tf.float32)), M
    ),
}

_UNARY = (
    "Abs Ceil Cos Cosh Digamma Erf Erfc Exp Expm1 Floor IsFinite IsInf IsNan Lgamma Neg Ndtri Reciprocal Inv Rint"
    " Round Sigmoid Sign Sin Sinh Square Tan Tanh BesselI1e Asinh Atan Identity"
)
_FEATURES = "Elu LeakyRelu Relu Relu6 Selu Softplus Softsign"
_POSITIVE = "Log Log1p Sqrt Rsqrt"
_UNIT = "Acos Asin Atanh Erfinv"


def _raw(name: str, *keys: str) -> Any:
    return lambda *args: getattr(tf.raw_ops, name)(**dict(zip(keys, args, strict=True)))


for _names, _key, _values in (
    (_UNARY, "x", between(-3, 3)),
    (_FEATURES, "features", between(-3, 8)),
    (_POSITIVE, "x", between(0.1, 9)),
    (_UNIT, "x", between(-0.9, 0.9)),
    ("Acosh", "x", between(1.1, 9)),
):
    for _name in _names.split():
        _key_of = "input" if _name == "Identity" else _key
        CASES[_name] = case(_raw(_name, _key_of), Spec(("n", "m"), "float32", _values), tolerance=2e-5)

_BINARY = (
    "Add AddV2 Sub Mul MulNoNan RealDiv DivNoNan FloorDiv FloorMod Maximum Minimum SquaredDifference Atan2"
    " Xdivy Xlogy Xlog1py Less LessEqual Greater GreaterEqual Equal NotEqual Mod TruncateMod"
)
_INTEGER = (
    "AddV2 Sub Mul FloorDiv FloorMod TruncateDiv TruncateMod Maximum Minimum BitwiseAnd BitwiseOr BitwiseXor"
    " LeftShift RightShift"
)
_GRADIENTS = (
    "EluGrad SeluGrad ReluGrad Relu6Grad SoftplusGrad SoftsignGrad SigmoidGrad TanhGrad SqrtGrad RsqrtGrad InvGrad"
    " LeakyReluGrad"
)


def _spread(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    return rng.choice(np.array([-2.5, -1, 0, 0.5, 1, 3]), shape).astype(dtype)


for _name in _BINARY.split():
    _values = between(0.5, 4) if "log" in _name else _spread
    CASES[_name] = case(
        _raw(_name, "x", "y"), Spec(("n", "m"), "float32", _spread), Spec(("m",), "float32", _values), tolerance=2e-5
    )


def _nonzero(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> Any:
    return rng.choice(np.array([-3, -1, 1, 2, 5]), shape).astype(dtype)


for _name in _INTEGER.split():
    CASES[f"{_name}_int"] = case(_raw(_name, "x", "y"), Spec(("n", "m"), "int32"), Spec(("n", 1), "int32", _nonzero))
for _name in ("FloorDiv", "FloorMod", "RightShift"):
    CASES[f"{_name}_uint"] = case(
        _raw(_name, "x", "y"), Spec(("n", "m"), "uint8"), Spec(("n", 1), "uint8", between(1, 5))
    )
for _name in _GRADIENTS.split():
    _keys = {"EluGrad": ("gradients", "outputs"), "SeluGrad": ("gradients", "outputs")}.get(_name)
    _keys = _keys or (
        ("y", "dy")
        if _name in ("SigmoidGrad", "TanhGrad", "SqrtGrad", "RsqrtGrad", "InvGrad")
        else ("gradients", "features")
    )
    CASES[_name] = case(
        _raw(_name, *_keys),
        Spec(("n", 3), "float32", between(-3, 7)),
        Spec(("n", 3), "float32", between(-3, 7)),
        tolerance=2e-5,
    )
CASES["ApproximateEqual"] = case(_raw("ApproximateEqual", "x", "y"), V, V)
CASES["Pow"] = case(
    _raw("Pow", "x", "y"), Spec(("n", "m"), "float32", between(0.2, 3)), Spec((), "float32"), tolerance=2e-5
)
CASES["Pow_int"] = case(_raw("Pow", "x", "y"), Spec(("n", "m"), "int32"), Spec((), "int32", exactly(3)))
CASES["Zeta"] = case(
    _raw("Zeta", "x", "q"),
    Spec(("n",), "float32", between(1.5, 3)),
    Spec(("n",), "float32", between(0.5, 3)),
    tolerance=1e-4,
)
CASES["Polygamma"] = case(
    _raw("Polygamma", "a", "x"),
    Spec(("n",), "float32", exactly(2)),
    Spec(("n",), "float32", between(0.5, 3)),
    tolerance=1e-4,
)
CASES["NextAfter"] = case(_raw("NextAfter", "x1", "x2"), V, V)
CASES["complex_parts"] = case(
    lambda x, y: (
        lambda z: (
            tf.math.real(z),
            tf.math.imag(z),
            tf.math.conj(z),
            tf.abs(z),
            tf.math.angle(z),
            tf.math.exp(z),
            z * z,
            tf.math.squared_difference(z, 1j),
        )
    )(tf.complex(x, y)),
    V,
    V,
    tolerance=2e-5,
)
CASES["logical"] = case(lambda x, y: (x & y, x | y, ~x), Spec(("n",), "bool"), Spec(("n",), "bool"))
CASES["bits"] = case(lambda x: (tf.bitwise.invert(x), tf.raw_ops.PopulationCount(x=x)), Spec(("n",), "int32"))
