"""Products, einsums and convolutions of TensorFlow, with their gradients."""

from __future__ import annotations

from typing import Any

from tf_cases import Case, Spec, case

tf: Any = None


def _gradient(function: Any, *args: Any) -> Any:
    with tf.GradientTape() as tape:
        tape.watch(list(args))
        y = tf.reduce_sum(function(*args) ** 2)
    return tape.gradient(y, list(args))


X = Spec(("n", 7, 6, 4))
OPEN = Spec(("n", "h", "w", 4))
K = Spec((3, 2, 4, 6))
T = 2e-5
# The gradient of a filter is a sum over up to 199 images, of terms that cancel.
MANY = 1e-3

CASES: dict[str, Case] = {
    "matmul": case(lambda x, y: x @ y, (("n", 4),), Spec((4, "m")), tolerance=T),
    "matmul_turned": case(
        lambda x, y: (tf.matmul(x, y, transpose_b=True), tf.matmul(x, x, transpose_a=True)),
        (("n", 4),),
        (("m", 4),),
        tolerance=T,
    ),
    "matmul_batch": case(
        lambda x, y: tf.matmul(x, y, transpose_b=True), (("n", "m", 4),), (("n", "k", 4),), tolerance=T
    ),
    "matmul_batch_weights": case(lambda x, y: x @ y, (("n", "m", 4),), Spec((4, 5)), tolerance=T),
    "matmul_weights_batch": case(
        lambda x, y: (
            tf.raw_ops.BatchMatMulV2(x=x, y=y),
            tf.raw_ops.BatchMatMulV2(x=x, y=tf.transpose(y, [0, 2, 1]), adj_y=True),
        ),
        Spec((5, 4)),
        (("n", 4, "m"),),
        tolerance=T,
    ),
    "matmul_broadcast": case(
        lambda x, y: x @ y,
        (("n", 1, "m", 4),),
        (("k", 4, 2),),
        tolerance=T,
    ),
    "matmul_adjoint": case(
        lambda x, y: tf.linalg.matmul(tf.complex(x, y), tf.complex(y, x), adjoint_a=True),
        (("n", 3, 2),),
        (("n", 3, 2),),
        tolerance=T,
    ),
    "matvec": case(lambda x, y: tf.linalg.matvec(x, y), (("n", 4),), Spec((4,)), tolerance=T),
    "einsum_batch": case(lambda x, y: tf.einsum("bij,bjk->bik", x, y), (("n", "m", 4),), (("n", 4, "k"),), tolerance=T),
    "einsum_free": case(lambda x, y: tf.einsum("abc,cde->abde", x, y), (("n", "m", 4),), Spec((4, 2, 3)), tolerance=T),
    "einsum_heads": case(
        lambda x, y: tf.einsum("aecd,abcd->acbe", x, y), (("n", "m", 4, 8),), (("n", "k", 4, 8),), tolerance=T
    ),
    "einsum_ellipsis": case(
        lambda x, y: tf.einsum("...ij,jk->...ik", x, y), (("n", "m", 4),), Spec((4, 3)), tolerance=T
    ),
    "einsum_ellipsis_one": case(
        lambda x, y: tf.einsum("...ij,...jk->...ik", x, y), (("n", 2, 4),), Spec((1, 4, 3)), tolerance=T
    ),
    "einsum_sum": case(lambda x, y: tf.einsum("ij,kl->i", x, y), (("n", "m"),), Spec((2, 3)), tolerance=T),
    "einsum_alone": case(
        lambda x: (tf.einsum("ij->ji", x), tf.einsum("ij->j", x), tf.einsum("ii->i", x @ tf.transpose(x))),
        (("n", 3),),
        tolerance=T,
    ),
    "bias": case(lambda x, y: (tf.nn.bias_add(x, y), tf.nn.relu(tf.nn.bias_add(x, y))), (("n", "m", 4),), Spec((4,))),
    "bias_first": case(
        lambda x, y: tf.raw_ops.BiasAdd(value=x, bias=y, data_format="NCHW"), (("n", 4, "m", 2),), Spec((4,))
    ),
    "bias_gradient": case(
        lambda x: (tf.raw_ops.BiasAddGrad(out_backprop=x), tf.raw_ops.BiasAddGrad(out_backprop=x, data_format="NCHW")),
        (("n", 4, "m", 2),),
        tolerance=T,
    ),
    "gradient_of_matmul": case(
        lambda x, y: _gradient(lambda a, b: a @ b, x, y), (("n", 4),), Spec((4, 3)), tolerance=1e-4
    ),
    "gradient_of_batch": case(
        lambda x, y: _gradient(lambda a, b: tf.matmul(a, b, transpose_b=True), x, y),
        (("n", "m", 4),),
        (("n", "k", 4),),
        tolerance=1e-4,
    ),
    "gradient_of_einsum": case(
        lambda x, y: _gradient(lambda a, b: tf.einsum("abc,cd->abd", a, b), x, y),
        (("n", "m", 4),),
        Spec((4, 3)),
        tolerance=1e-4,
    ),
    # ------------------------------------------------------------------------------------------ convolutions
    "conv": case(
        lambda x, k: (tf.nn.conv2d(x, k, 1, "VALID"), tf.nn.conv2d(x, k, [1, 2, 2, 1], "SAME")),
        X,
        K,
        tolerance=T,
    ),
    # TensorFlow refuses a window without padding that overhangs by more than its stride.
    "conv_open": case(
        lambda x, k: (tf.nn.conv2d(x, k, 2, "SAME"), tf.nn.conv2d(x, k, [1, 2], "VALID")),
        OPEN,
        K,
        least={"h": 2},
        tolerance=T,
    ),
    "conv_dilated": case(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME", dilations=2), X, K, tolerance=T),
    "conv_dilated_open": case(
        lambda x, k: tf.raw_ops.Conv2D(
            input=x, filter=k, strides=[1, 1, 1, 1], padding="VALID", dilations=[1, 2, 1, 1]
        ),
        OPEN,
        K,
        least={"h": 4, "w": 1},
        tolerance=T,
    ),
    "conv_explicit": case(lambda x, k: tf.nn.conv2d(x, k, 1, [[0, 0], [1, 2], [0, 1], [0, 0]]), OPEN, K, tolerance=T),
    "conv_groups": case(lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"), X, Spec((3, 3, 2, 6)), tolerance=T),
    "conv_one": case(
        lambda x, k: tf.nn.conv1d(x, k, 1, "SAME"),
        (("n", "m", 4),),
        Spec((3, 4, 5)),
        tolerance=T,
    ),
    "conv_three": case(
        lambda x, k: tf.nn.conv3d(x, k, [1, 1, 2, 1, 1], "SAME"),
        (("n", 4, "m", 5, 2),),
        Spec((2, 3, 2, 2, 3)),
        tolerance=T,
    ),
    "depthwise": case(
        lambda x, k: (
            tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"),
            tf.nn.depthwise_conv2d(x, k, [1, 2, 2, 1], "VALID"),
        ),
        X,
        Spec((3, 2, 4, 2)),
        tolerance=T,
    ),
    "depthwise_open": case(
        lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 2, 2, 1], "SAME"),
        OPEN,
        Spec((3, 3, 4, 1)),
        tolerance=T,
    ),
    "transposed": case(
        lambda x, k: tf.nn.conv2d_transpose(x, k, tf.stack([tf.shape(x)[0], 14, 12, 5]), 2, "SAME"),
        X,
        Spec((3, 3, 5, 4)),
        tolerance=T,
    ),
    "transposed_open": case(
        lambda x, k: tf.nn.conv2d_transpose(
            x, k, tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, tf.shape(x)[2] * 2 + 1, 5]), 2, "VALID"
        ),
        OPEN,
        Spec((2, 3, 5, 4)),
        tolerance=T,
    ),
    "transposed_same_open": case(
        lambda x, k: tf.nn.conv2d_transpose(
            x, k, tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, tf.shape(x)[2] * 2, 5]), 2, "SAME"
        ),
        OPEN,
        Spec((3, 3, 5, 4)),
        tolerance=T,
    ),
    "transposed_one": case(
        lambda x, k: tf.nn.conv1d_transpose(x, k, tf.stack([tf.shape(x)[0], tf.shape(x)[1] * 2, 5]), 2, "SAME"),
        (("n", "m", 4),),
        Spec((3, 5, 4)),
        tolerance=T,
    ),
    "gradient_of_conv": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv2d(a, b, 2, "SAME"), x, k), X, K, tolerance=MANY
    ),
    "gradient_of_conv_valid": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv2d(a, b, [1, 2], "VALID"), x, k), X, K, tolerance=MANY
    ),
    # TensorFlow leaves the gradient of a filter as it found the memory where images have no pixels.
    "gradient_of_conv_open": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv2d(a, b, 2, "SAME"), x, k),
        OPEN,
        K,
        least={"h": 1, "w": 1},
        tolerance=1e-4,
    ),
    "gradient_of_conv_dilated": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv2d(a, b, 1, "SAME", dilations=[2, 1]), x, k),
        X,
        K,
        tolerance=MANY,
        onednn=True,
    ),
    "gradient_of_conv_groups": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv2d(a, b, 1, "SAME"), x, k),
        X,
        Spec((3, 3, 2, 6)),
        tolerance=MANY,
        onednn=True,
    ),
    "gradient_of_conv_three": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.conv3d(a, b, [1, 1, 2, 1, 1], "SAME"), x, k),
        (("n", 4, 5, 5, 2),),
        Spec((2, 3, 2, 2, 3)),
        tolerance=MANY,
    ),
    # Here also where there is no image.
    "gradient_of_depthwise": case(
        lambda x, k: _gradient(lambda a, b: tf.nn.depthwise_conv2d(a, b, [1, 2, 2, 1], "SAME"), x, k),
        X,
        Spec((3, 3, 4, 2)),
        least=1,
        tolerance=MANY,
    ),
}
