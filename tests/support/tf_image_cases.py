"""Pooling, normalization and images of TensorFlow."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, between, case

tf: Any = None

X = Spec(("n", 8, 7, 4))
OPEN = Spec(("n", "h", "w", 4))
HW = [{"n": 2, "h": 7, "w": 6}, {"n": 1, "h": 3, "w": 4}]
SOME = [{"n": 3}, {"n": 1}]
T = 2e-5


def _gradient(function: Any, *args: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(list(args))
        y = tf.reduce_sum(function(*args) ** 2)
    return tape.gradient(y, list(args))


def _norm(training: bool, data_format: str = "NHWC", **options: Any) -> Any:
    def call(x: Any, s: Any, o: Any, m: Any, v: Any) -> Any:
        found = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=s,
            offset=o,
            mean=m,
            variance=v,
            is_training=training,
            data_format=data_format,
            epsilon=1e-3,
            **options,
        )
        return found[:3]

    return call


def _norm_gradient(training: bool) -> Any:
    def call(x: Any, s: Any, o: Any, m: Any, v: Any) -> Any:
        def forward(a: Any, b: Any, c: Any) -> Any:
            options = {"mean": m, "variance": v} if not training else {}
            return tf.compat.v1.nn.fused_batch_norm(a, b, c, is_training=training, epsilon=1e-3, **options)[0] * tf.sin(
                a
            )

        return _gradient(forward, x, s, o)

    return call


C = Spec((4,))
V = Spec((4,), "float32", between(0.5, 2))

CASES: dict[str, Case] = {
    "max_pool": case(lambda x: (tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.max_pool2d(x, 3, 2, "SAME")), X),
    "max_pool_open": case(
        lambda x: (tf.nn.max_pool2d(x, [3, 2], 2, "SAME"), tf.nn.max_pool2d(x, 2, 1, "VALID")), OPEN, runs=HW
    ),
    "max_pool_explicit": case(lambda x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 0], [1, 2], [0, 0]]), OPEN, runs=HW),
    "max_pool_volume": case(
        lambda x: tf.nn.max_pool3d(x, 2, 2, "SAME"), (("n", 4, "h", 5, 2),), runs=[{"n": 2, "h": 5}, {"n": 1, "h": 2}]
    ),
    "max_pool_channels": case(
        lambda x: tf.raw_ops.MaxPool(input=x, ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID"), X
    ),
    "avg_pool": case(
        lambda x: (tf.nn.avg_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, 3, 2, "SAME")), X, runs=SOME, tolerance=T
    ),
    "avg_pool_open": case(lambda x: tf.nn.avg_pool2d(x, [3, 2], 2, "SAME"), OPEN, runs=HW, tolerance=T),
    "avg_pool_volume": case(
        lambda x: tf.nn.avg_pool3d(x, 2, 2, "SAME"),
        (("n", 4, "h", 5, 2),),
        runs=[{"n": 2, "h": 5}, {"n": 1, "h": 2}],
        tolerance=T,
    ),
    "gradient_of_max_pool": case(
        lambda x: _gradient(lambda a: tf.nn.max_pool2d(a, 3, 2, "SAME"), x), X, runs=SOME, tolerance=T
    ),
    "gradient_of_max_pool_open": case(
        lambda x: _gradient(lambda a: tf.nn.max_pool2d(a, 3, 2, "SAME"), x), OPEN, runs=HW, tolerance=T
    ),
    "gradient_of_max_pool_volume": case(
        lambda x: _gradient(lambda a: tf.nn.max_pool3d(a, 2, 2, "SAME"), x),
        (("n", 4, 5, 5, 2),),
        runs=SOME,
        tolerance=T,
    ),
    "gradient_of_avg_pool": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, 3, 2, "SAME"), x), X, runs=SOME, tolerance=T
    ),
    "gradient_of_avg_pool_valid": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, 3, 2, "VALID"), x), X, runs=SOME, tolerance=T
    ),
    "gradient_of_avg_pool_open": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, [2, 3], 2, "SAME"), x), OPEN, runs=HW, tolerance=T
    ),
    "gradient_of_avg_pool_volume": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool3d(a, 2, 2, "SAME"), x),
        (("n", 4, 5, 5, 2),),
        runs=SOME,
        tolerance=T,
    ),
    "batch_norm": case(_norm(False), X, C, C, C, V, runs=SOME, tolerance=T),
    "batch_norm_training": case(_norm(True), OPEN, C, C, C, V, runs=HW, tolerance=1e-4),
    "batch_norm_running": case(_norm(True, exponential_avg_factor=0.25), X, C, C, C, V, runs=SOME, tolerance=1e-4),
    "batch_norm_half": case(_norm(True), Spec(("n", 8, 7, 4), "float16"), C, C, C, V, runs=SOME, tolerance=5e-3),
    "gradient_of_batch_norm": case(_norm_gradient(True), X, C, C, C, V, runs=SOME, tolerance=1e-3),
    "gradient_of_batch_norm_frozen": case(_norm_gradient(False), X, C, C, C, V, runs=SOME, tolerance=1e-3),
    "lrn": case(lambda x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.75), X, tolerance=T),
    "gradient_of_lrn": case(
        lambda x: _gradient(lambda a: tf.nn.lrn(a, 1, 1.0, 0.5, 0.75), x), X, runs=SOME, tolerance=1e-4
    ),
}
