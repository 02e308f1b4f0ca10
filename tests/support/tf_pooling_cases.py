"""Pooling of TensorFlow, of images and volumes."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, case

tf: Any = None

IMAGES = Spec(("n", 7, 6, 4))
OPEN = Spec(("n", "h", "w", 3))
VOLUMES = Spec(("n", 4, 5, 6, 2))
# Windows without padding need an element, and of a window of padding alone TensorFlow makes the least finite number.
PIXELS = {"h": 1, "w": 1}
T = 1e-5

CASES: dict[str, Case] = {
    "max_pool": case(
        lambda x: (tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.max_pool2d(x, [3, 2], [2, 1], "SAME")), IMAGES
    ),
    "max_pool_open": case(
        lambda x: (tf.nn.max_pool2d(x, 2, 1, "VALID"), tf.nn.max_pool2d(x, 3, 2, "SAME")), OPEN, least=PIXELS
    ),
    # Every element is negative: what is added at the edges must not be the largest.
    "max_pool_explicit": case(
        lambda x: tf.nn.max_pool2d(-tf.abs(x) - 1, 3, 2, [[0, 0], [1, 2], [0, 1], [0, 0]]), OPEN, least=PIXELS
    ),
    "max_pool_volumes": case(lambda x: tf.nn.max_pool3d(x, [2, 3, 2], 2, "SAME"), VOLUMES),
    "average_pool": case(
        lambda x: (tf.nn.avg_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, [3, 2], [2, 1], "SAME")),
        IMAGES,
        tolerance=T,
    ),
    "average_pool_open": case(
        lambda x: (tf.nn.avg_pool2d(x, 2, 1, "VALID"), tf.nn.avg_pool2d(x, 3, 2, "SAME")),
        OPEN,
        least=PIXELS,
        tolerance=T,
    ),
    "average_pool_volumes": case(lambda x: tf.nn.avg_pool3d(x, 3, [1, 2, 2], "SAME"), VOLUMES, tolerance=T),
}
