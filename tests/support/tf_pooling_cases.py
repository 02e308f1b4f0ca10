"""Pooling of TensorFlow, of images and volumes."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, case

tf: Any = None

IMAGES = Spec(("n", 7, 6, 4))
OPEN = Spec(("n", "h", "w", 3))
VOLUMES = Spec(("n", 4, 5, 6, 2))
T = 1e-5
SOME = [{"n": 3}, {"n": 1}]
SIZES = [{"n": 2, "h": 7, "w": 6}, {"n": 1, "h": 5, "w": 5}, {"n": 1, "h": 2, "w": 3}]

CASES: dict[str, Case] = {
    "max_pool": case(
        lambda x: (tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.max_pool2d(x, [3, 2], [2, 1], "SAME")), IMAGES, runs=SOME
    ),
    "max_pool_open": case(
        lambda x: (tf.nn.max_pool2d(x, 2, 1, "VALID"), tf.nn.max_pool2d(x, 3, 2, "SAME")), OPEN, runs=SIZES
    ),
    # Every element is negative: what is added at the edges must not be the largest.
    "max_pool_explicit": case(
        lambda x: tf.nn.max_pool2d(-tf.abs(x) - 1, 3, 2, [[0, 0], [1, 2], [0, 1], [0, 0]]), OPEN, runs=SIZES
    ),
    "max_pool_volumes": case(lambda x: tf.nn.max_pool3d(x, [2, 3, 2], 2, "SAME"), VOLUMES, runs=SOME),
    "average_pool": case(
        lambda x: (tf.nn.avg_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, [3, 2], [2, 1], "SAME")),
        IMAGES,
        runs=SOME,
        tolerance=T,
    ),
    "average_pool_open": case(
        lambda x: (tf.nn.avg_pool2d(x, 2, 1, "VALID"), tf.nn.avg_pool2d(x, 3, 2, "SAME")),
        OPEN,
        runs=SIZES,
        tolerance=T,
    ),
    "average_pool_volumes": case(lambda x: tf.nn.avg_pool3d(x, 3, [1, 2, 2], "SAME"), VOLUMES, runs=SOME, tolerance=T),
}
