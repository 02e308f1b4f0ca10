"""Reductions, running sums and losses of TensorFlow."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, below, case

tf: Any = None

M = Spec(("n", "m"))
V = Spec(("n",))
LONG = [{"n": 3, "m": 33}, {"n": 33, "m": 3}]


def _gradient(function: Any, *args: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(list(args))
        y = function(*args)
    return tape.gradient(y, list(args))


CASES: dict[str, Case] = {
    "sum": case(
        lambda x: (tf.reduce_sum(x), tf.reduce_sum(x, 0), tf.reduce_sum(x, [-1], keepdims=True)), M, tolerance=1e-5
    ),
    "mean": case(lambda x: (tf.reduce_mean(x, 0), tf.reduce_mean(x, [0, 1], keepdims=True)), M),
    "mean_integers": case(lambda x: tf.reduce_mean(x, 0), Spec(("n", "m"), "int32")),
    "mean_half": case(lambda x: tf.reduce_mean(x, 1), Spec(("n", "m"), "float16"), tolerance=2e-3),
    "prod": case(lambda x: (tf.reduce_prod(x, 1), tf.reduce_prod(tf.shape(x))), M, tolerance=1e-5),
    "max_and_min": case(lambda x: (tf.reduce_max(x, 1), tf.reduce_min(x, [0], keepdims=True)), M),
    "max_of_integers": case(lambda x: (tf.reduce_max(x, 1), tf.reduce_min(x)), Spec(("n", "m"), "int32")),
    "all_and_any": case(
        lambda x: (tf.reduce_all(x, 1), tf.reduce_any(x, 0), tf.reduce_all(x)), Spec(("n", "m"), "bool")
    ),
    "norm": case(
        lambda x: (tf.norm(x, axis=1), tf.math.reduce_euclidean_norm(x, 0), tf.nn.l2_loss(x)), M, tolerance=1e-5
    ),
    "logsumexp": case(
        lambda x: (tf.reduce_logsumexp(x, 1), tf.math.reduce_std(x, 0), tf.math.reduce_variance(x)),
        M,
        tolerance=1e-5,
    ),
    # Nothing has no greatest element.
    "argmax": case(lambda x: (tf.argmax(x, 1), tf.argmin(x, 0, output_type=tf.int32)), M, least=1),
    "argmax_equal": case(
        lambda x: (tf.argmax(x, 1), tf.argmin(x, 1)),
        Spec(("n", "m"), "int32", below(3)),
        least={"m": 1},
    ),
    "l2_normalize": case(lambda x: tf.nn.l2_normalize(x, 1), M, tolerance=1e-5),
    "moments": case(lambda x: tf.nn.moments(x, [0]), M, tolerance=1e-5),
    "cumsum": case(lambda x: tf.cumsum(x, axis=1), M, runs=LONG, tolerance=1e-5),
    "cumsum_rows": case(
        lambda x: tf.cumsum(x, axis=0, exclusive=True),
        (("n", 4),),
        tolerance=1e-5,
    ),
    "cumsum_back": case(lambda x: tf.cumsum(x, axis=-1, reverse=True), (("n", 9),), tolerance=1e-5),
    "cumsum_integers": case(
        lambda x: tf.cumsum(x, axis=1, reverse=True, exclusive=True), Spec(("n", "m"), "int64"), runs=LONG
    ),
    "cumprod": case(lambda x: tf.math.cumprod(x, axis=0, exclusive=True, reverse=True), M, runs=LONG, tolerance=1e-5),
    "cumulative_logsumexp": case(lambda x: tf.math.cumulative_logsumexp(x, axis=1), M, runs=LONG, tolerance=1e-5),
    "softmax": case(lambda x: tf.nn.softmax(x), M),
    "softmax_axis": case(lambda x: tf.nn.softmax(x, axis=0), (("n", 3, "m"),)),
    "log_softmax": case(lambda x: tf.nn.log_softmax(x, axis=0), M, tolerance=1e-5),
    # TensorFlow makes one row, with a loss, of no rows without columns: [-1, 0] of nothing is [1, 0].
    "cross_entropy": case(
        lambda x, y: tf.nn.softmax_cross_entropy_with_logits(y, x),
        M,
        M,
        legal=lambda s: s["n"] > 0 or s["m"] > 0,
        tolerance=1e-5,
    ),
    "cross_entropy_raw": case(
        lambda x, y: tuple(tf.raw_ops.SoftmaxCrossEntropyWithLogits(features=x, labels=y)),
        M,
        M,
        tolerance=1e-5,
    ),
    "sparse_cross_entropy": case(
        lambda x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y, x),
        (("n", 4),),
        Spec(("n",), "int32", below(4)),
        tolerance=1e-5,
    ),
    # Labels below 3, and TensorFlow wants a class even without examples.
    "sparse_cross_entropy_raw": case(
        lambda x, y: tuple(tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=x, labels=y)),
        M,
        Spec(("n",), "int64", below(3)),
        legal=lambda s: s["m"] >= 3 or (s["m"] >= 1 and s["n"] == 0),
        tolerance=1e-5,
    ),
    "sigmoid_cross_entropy": case(lambda x, y: tf.nn.sigmoid_cross_entropy_with_logits(y, x), M, M, tolerance=1e-5),
    # A dimension of an operand that may be 1 is summed where it is: the gradient has the operand's shape.
    "gradient_of_broadcast": case(
        lambda x, y: _gradient(lambda a, b: tf.reduce_sum(tf.sin(a * b)), x, y),
        M,
        Spec(("k", "m")),
        legal=lambda s: s["n"] == s["k"] or 1 in (s["n"], s["k"]),
        tolerance=1e-5,
    ),
    "gradient_of_rows": case(
        lambda x, y: _gradient(lambda a, b: tf.reduce_mean((a - b) ** 2), x, y),
        M,
        Spec(("m",)),
        tolerance=1e-5,
    ),
    "gradient_of_softmax": case(
        lambda x, y: _gradient(
            lambda a: tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(y), a)), x
        ),
        M,
        M,
        tolerance=1e-5,
    ),
    "gradient_of_functions": case(
        lambda x: _gradient(
            lambda a: tf.reduce_sum(
                tf.exp(tf.tanh(a)) * tf.sqrt(tf.abs(a) + 1) / (1 + a * a)
                + tf.nn.gelu(a)
                + tf.nn.swish(a)
                + tf.nn.elu(a)
            ),
            x,
        ),
        M,
        tolerance=2e-5,
    ),
    "gradient_of_max": case(
        lambda x: _gradient(lambda a: tf.reduce_sum(tf.reduce_max(a, 1)) + tf.reduce_prod(1.0 + 0.1 * a), x),
        M,
        tolerance=2e-5,
    ),
    "gradient_of_slices": case(
        lambda x: _gradient(
            lambda a: tf.reduce_sum(a[1:, ::2] ** 2) + tf.reduce_sum(tf.concat([a, a * a], 0)[::-1, 1]), x
        ),
        (("n", 4),),
        tolerance=1e-5,
    ),
    "gradient_of_cumsum": case(
        lambda x: _gradient(lambda a: tf.reduce_sum(tf.cumsum(a, 1) ** 2), x), M, tolerance=5e-5
    ),
}
