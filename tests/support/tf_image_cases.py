"""Pooling, normalization and images of TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
from tf_cases import Case, Spec, between, case, exactly

tf: Any = None

X = Spec(("n", 8, 7, 4))
OPEN = Spec(("n", "h", "w", 4))
PIXELS = {"h": 1, "w": 1}
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


def _apart(rng: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Any:
    """Different numbers: TensorFlow takes those that are nearly the largest of a volume's window for the largest."""
    size = int(np.prod(shape))
    return ((rng.permutation(size) - size // 2) / 16).reshape(shape).astype(dtype)


C = Spec((4,))
V = Spec((4,), "float32", between(0.5, 2))

CASES: dict[str, Case] = {
    "max_pool": case(lambda x: (tf.nn.max_pool2d(x, 2, 2, "VALID"), tf.nn.max_pool2d(x, 3, 2, "SAME")), X),
    # TensorFlow refuses a window without padding that overhangs by more than its stride.
    "max_pool_open": case(
        lambda x: (tf.nn.max_pool2d(x, [3, 2], 2, "SAME"), tf.nn.max_pool2d(x, 2, 1, "VALID")), OPEN, least=PIXELS
    ),
    # Of a window of padding alone TensorFlow's kernels make the least finite number, XLA makes -inf.
    "max_pool_explicit": case(
        lambda x: tf.nn.max_pool2d(x, 3, 2, [[0, 0], [1, 0], [1, 2], [0, 0]]), OPEN, least=PIXELS
    ),
    "max_pool_volume": case(lambda x: tf.nn.max_pool3d(x, 2, 2, "SAME"), (("n", 4, "h", 5, 2),)),
    "max_pool_channels": case(
        lambda x: tf.raw_ops.MaxPool(input=x, ksize=[1, 1, 1, 2], strides=[1, 1, 1, 2], padding="VALID"), X
    ),
    "avg_pool": case(lambda x: (tf.nn.avg_pool2d(x, 2, 2, "VALID"), tf.nn.avg_pool2d(x, 3, 2, "SAME")), X, tolerance=T),
    "avg_pool_open": case(lambda x: tf.nn.avg_pool2d(x, [3, 2], 2, "SAME"), OPEN, tolerance=T),
    "avg_pool_volume": case(
        lambda x: tf.nn.avg_pool3d(x, 2, 2, "SAME"),
        (("n", 4, "h", 5, 2),),
        tolerance=T,
    ),
    "gradient_of_max_pool": case(lambda x: _gradient(lambda a: tf.nn.max_pool2d(a, 3, 2, "SAME"), x), X, tolerance=T),
    "gradient_of_max_pool_open": case(
        lambda x: _gradient(lambda a: tf.nn.max_pool2d(a, 3, 2, "SAME"), x), OPEN, tolerance=T
    ),
    "gradient_of_max_pool_volume": case(
        lambda x: _gradient(lambda a: tf.nn.max_pool3d(a, 2, 2, "SAME"), x),
        Spec(("n", 4, 5, 5, 2), "float32", _apart),
        tolerance=T,
    ),
    "gradient_of_avg_pool": case(lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, 3, 2, "SAME"), x), X, tolerance=T),
    "gradient_of_avg_pool_valid": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, 3, 2, "VALID"), x), X, tolerance=T
    ),
    "gradient_of_avg_pool_open": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool2d(a, [2, 3], 2, "SAME"), x), OPEN, tolerance=T
    ),
    "gradient_of_avg_pool_volume": case(
        lambda x: _gradient(lambda a: tf.nn.avg_pool3d(a, 2, 2, "SAME"), x),
        (("n", 4, 5, 5, 2),),
        tolerance=T,
    ),
    # TensorFlow's statistics of an empty batch are no numbers, though they are arguments.
    "batch_norm": case(_norm(False), X, C, C, C, V, least=1, tolerance=T),
    "batch_norm_training": case(_norm(True), OPEN, C, C, C, V, tolerance=1e-4),
    "batch_norm_running": case(_norm(True, exponential_avg_factor=0.25), X, C, C, C, V, tolerance=1e-4),
    "batch_norm_half": case(_norm(True), Spec(("n", 8, 7, 4), "float16"), C, C, C, V, tolerance=5e-3),
    "gradient_of_batch_norm": case(_norm_gradient(True), X, C, C, C, V, tolerance=1e-3),
    "gradient_of_batch_norm_frozen": case(_norm_gradient(False), X, C, C, C, V, tolerance=1e-3),
    "lrn": case(lambda x: tf.nn.lrn(x, 2, 1.0, 0.5, 0.75), X, tolerance=T),
    "gradient_of_lrn": case(lambda x: _gradient(lambda a: tf.nn.lrn(a, 1, 1.0, 0.5, 0.75), x), X, tolerance=1e-4),
    # ------------------------------------------------------------------------------------------ other sizes
    # TensorFlow refuses to resize, to turn and to cut images without pixels.
    "resize_bilinear": case(lambda x: tf.image.resize(x, [11, 5]), X, tolerance=T),
    "resize_bilinear_computed": case(
        lambda x: tf.image.resize(x, [2 * tf.shape(x)[1] - 1, tf.shape(x)[2] // 2 + 1]), OPEN, least=PIXELS, tolerance=T
    ),
    "resize_bilinear_corners": case(
        lambda x: tf.compat.v1.image.resize_bilinear(x, [11, 1], align_corners=True), X, tolerance=T
    ),
    "resize_bilinear_legacy": case(
        lambda x: tf.compat.v1.image.resize_bilinear(x, [11, 5]), OPEN, least=PIXELS, tolerance=T
    ),
    "resize_bilinear_bytes": case(lambda x: tf.image.resize(x, [3, 9]), Spec(("n", 8, 7, 3), "uint8"), tolerance=T),
    "resize_nearest": case(lambda x: tf.image.resize(x, [11, 5], method="nearest"), X),
    "resize_nearest_open": case(lambda x: tf.image.resize(x, [11, 5], method="nearest"), OPEN, least=PIXELS),
    "resize_nearest_corners": case(
        lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [11, 5], align_corners=True), OPEN, least=PIXELS
    ),
    "resize_nearest_legacy": case(
        lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [5, 16]), Spec(("n", 8, 7, 2), "int32")
    ),
    "resize_bicubic": case(lambda x: tf.image.resize(x, [11, 5], method="bicubic"), OPEN, least=PIXELS, tolerance=1e-4),
    "resize_bicubic_legacy": case(lambda x: tf.compat.v1.image.resize_bicubic(x, [11, 5]), X, tolerance=1e-4),
    "resize_area": case(
        lambda x: (tf.image.resize(x, [3, 5], method="area"), tf.image.resize(x, [11, 9], method="area")),
        OPEN,
        least=PIXELS,
        tolerance=T,
    ),
    "resize_area_corners": case(
        lambda x: tf.compat.v1.image.resize_area(x, [3, 5], align_corners=True), X, tolerance=1e-4
    ),
    "resize_lanczos": case(
        lambda x: (
            tf.image.resize(x, [11, 5], method="lanczos3", antialias=True),
            tf.image.resize(x, [3, 4], method="lanczos5"),
        ),
        OPEN,
        least=PIXELS,
        tolerance=1e-4,
    ),
    "resize_kernels": case(
        lambda x: [
            tf.image.resize(x, [5, 9], method=m, antialias=True)
            for m in ("gaussian", "mitchellcubic", "bilinear", "bicubic")
        ],
        X,
        tolerance=1e-4,
    ),
    "scale_and_translate": case(
        lambda x, s, t: tf.raw_ops.ScaleAndTranslate(images=x, size=[6, 5], scale=s, translation=t, kernel_type="box"),
        X,
        Spec((2,), "float32", exactly([0.7, 1.3])),
        Spec((2,), "float32", exactly([0.6, -1.2])),
        tolerance=1e-4,
    ),
    "gradient_of_resize": case(
        lambda x: _gradient(
            lambda a: tf.concat(
                [
                    tf.reshape(tf.image.resize(a, [11, 5]), [-1]),
                    tf.reshape(tf.image.resize(a, [3, 9], method="nearest"), [-1]),
                ],
                0,
            ),
            x,
        ),
        X,
        tolerance=1e-4,
    ),
    "gradient_of_resize_open": case(
        lambda x: _gradient(lambda a: tf.image.resize(a, [11, 5]), x), OPEN, least=PIXELS, tolerance=1e-4
    ),
    # The boxes are of the first image.
    "crop_and_resize": case(
        lambda x, boxes, i: (
            tf.image.crop_and_resize(x, boxes, i, [3, 4]),
            tf.image.crop_and_resize(x, boxes, i, [1, 5], method="nearest", extrapolation_value=7.0),
        ),
        OPEN,
        Spec(("k", 4), "float32", between(-0.2, 1.2)),
        Spec(("k",), "int32", exactly(0)),
        least=PIXELS,
        legal=lambda s: s["n"] > 0 or s["k"] == 0,
        tolerance=1e-4,
    ),
    "project": case(
        lambda x, t: [
            tf.raw_ops.ImageProjectiveTransformV3(
                images=x, transforms=t, output_shape=[9, 5], interpolation=i, fill_mode=m, fill_value=2.0
            )
            for i in ("NEAREST", "BILINEAR")
            for m in ("CONSTANT", "REFLECT", "WRAP", "NEAREST")
        ],
        OPEN,
        Spec((1, 8), "float32", exactly([[1.1, 0.2, -2.3, -0.3, 0.9, 1.2, 0.01, 0.02]])),
        tolerance=1e-4,
    ),
    "patches": case(
        lambda x: (
            tf.image.extract_patches(x, [1, 3, 2, 1], [1, 2, 1, 1], [1, 1, 2, 1], "VALID"),
            tf.image.extract_patches(x, [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1], "SAME"),
        ),
        OPEN,
        least={"w": 2},
    ),
    "central_crop": case(lambda x: tf.image.central_crop(x, 0.5), X),
    "crop_to_box": case(
        lambda x: tf.image.crop_to_bounding_box(x, 1, 2, 3, 2),
        OPEN,
        least={"h": 4, "w": 4},
    ),
    "pad_to_box": case(
        lambda x: tf.image.pad_to_bounding_box(x, 1, 2, 9, 9),
        OPEN,
        least=PIXELS,
        legal=lambda s: s["h"] <= 8 and s["w"] <= 7,
    ),
    "resize_with_pad": case(lambda x: tf.image.resize_with_pad(x, 9, 5), X, tolerance=T),
    "flips": case(
        lambda x: (tf.image.flip_left_right(x), tf.image.flip_up_down(x), tf.image.rot90(x), tf.image.transpose(x)),
        OPEN,
        least=PIXELS,
    ),
    "standardized": case(lambda x: tf.image.per_image_standardization(x), X, tolerance=1e-4),
    "contrast": case(
        lambda x: (
            tf.image.adjust_contrast(x, 1.7),
            tf.image.adjust_brightness(x, 0.3),
            tf.image.adjust_gamma(tf.abs(x), 0.5),
        ),
        X,
        tolerance=1e-4,
    ),
    "colours": case(
        lambda x: (
            tf.image.rgb_to_hsv(x),
            tf.image.hsv_to_rgb(x),
            tf.image.rgb_to_grayscale(x),
            tf.image.adjust_hue(x, 0.2),
            tf.image.adjust_saturation(x, 1.5),
        ),
        Spec(("n", 4, 3, 3), "float32", between(0, 1)),
        tolerance=1e-4,
    ),
    # TensorFlow's MirrorPad refuses to mirror an empty array.
    "gradients_of_images": case(
        lambda x: (tf.image.sobel_edges(x), *tf.image.image_gradients(x), tf.image.total_variation(x)),
        X,
        least=1,
        tolerance=1e-4,
    ),
    # TensorFlow reads the first of the boxes.
    "non_max_suppression": case(
        lambda boxes, scores: (
            tf.image.non_max_suppression(boxes, scores, 4, 0.3, 0.1),
            *tf.image.non_max_suppression_padded(boxes, scores, 5, 0.4, pad_to_max_output_size=True),
        ),
        Spec(("n", 4), "float32", between(0, 1)),
        Spec(("n",), "float32", between(0, 1)),
        least=1,
    ),
}
