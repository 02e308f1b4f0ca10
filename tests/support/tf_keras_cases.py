"""Layers of Keras, and steps of training them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tf_cases import Case, Spec, below, case

tf: Any = None
keras: Any = None

T = 2e-5
STEPS = {"t": 1}
"""TensorFlow cannot stack the outputs of a recurrent layer after no step: it does not know their shape."""

SEQUENCE = Spec(("b", "t", 3))
IMAGES = Spec(("b", 8, 8, 3))
OPEN = Spec(("b", "h", "w", 3))


def layer(
    make: Callable[[Any], Any],
    *specs: Spec,
    training: bool = False,
    tolerance: float = T,
    **options: Any,
) -> Case:
    """A layer that `make(keras.layers)` makes, called on arguments. `options` are those of `case`."""

    def state() -> Any:
        import keras as found

        found.utils.set_random_seed(7)
        module = tf.Module()
        module.layer = make(found.layers)
        sizes = dict.fromkeys("bthw", 6)
        _call(module, *(tf.zeros(s.at(sizes), getattr(tf, s.dtype)) for s in specs))
        module.variables_ = [v.value for v in module.layer.variables]
        for i, v in enumerate(module.variables_):  # what begins as zeros or ones says little
            if v.dtype.is_floating:
                v.assign(v + 0.1 * tf.sin(tf.reshape(tf.range(tf.cast(tf.size(v), tf.float32)) + i, tf.shape(v))))
        return module

    def _call(module: Any, *args: Any) -> Any:
        return module.layer(*args, **({"training": True} if training else {}))

    return case(_call, *specs, state=state, tolerance=tolerance, **options)


def training(
    make: Callable[[Any], Any],
    optimizer: Callable[[Any], Any],
    x: Spec,
    y: Spec,
    tolerance: float = 2e-4,
    **options: Any,
) -> Case:
    """Steps of an optimizer on the squares of what a layer gets wrong. `options` are those of `case`."""

    def state() -> Any:
        import keras as found

        found.utils.set_random_seed(7)
        module = tf.Module()
        module.layer = make(found.layers)
        sizes = dict.fromkeys("bthw", 6)
        module.layer(tf.zeros(x.at(sizes)))
        module.optimizer = optimizer(found.optimizers)
        module.optimizer.build(module.layer.trainable_variables)
        module.variables_ = [v.value for v in (*module.layer.variables, *module.optimizer.variables)]
        return module

    def step(module: Any, a: Any, b: Any) -> Any:
        weights = module.layer.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((module.layer(a, training=True) - b) ** 2)
        gradients = tape.gradient(loss, [w.value for w in weights])
        module.optimizer.apply(gradients, weights)
        return loss

    return case(step, x, y, state=state, calls=3, tolerance=tolerance, **options)


def attention(layers: Any) -> Any:
    class Attention(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = layers.Attention(use_scale=True)

        def call(self, q: Any, v: Any) -> Any:
            return self.inner([q, v])

    return Attention()


def sequential(*parts: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def make(layers: Any) -> Any:
        import keras as found

        return found.Sequential([p(layers) for p in parts])

    return make


CASES: dict[str, Case] = {
    "dense": layer(lambda k: k.Dense(4, activation="relu"), Spec(("b", 8))),
    "dense_steps": layer(lambda k: k.Dense(4, activation="gelu"), Spec(("b", "t", 8))),
    "conv_1d": layer(lambda k: k.Conv1D(4, 3, padding="causal"), SEQUENCE),
    "conv_2d": layer(lambda k: k.Conv2D(4, 3, padding="same", strides=2), IMAGES),
    "conv_2d_open": layer(lambda k: k.Conv2D(4, 3, padding="same", strides=2), OPEN),
    # With 4 the window, which covers 5, has no place; with fewer TensorFlow refuses.
    "conv_2d_dilated": layer(lambda k: k.Conv2D(4, 3, dilation_rate=2), OPEN, least={"h": 4, "w": 4}),
    "conv_2d_groups": layer(lambda k: k.Conv2D(6, 3, groups=3), IMAGES),
    "conv_3d": layer(lambda k: k.Conv3D(4, 3), Spec(("b", 6, 6, 6, 3))),
    "transposed": layer(lambda k: k.Conv2DTranspose(4, 3, strides=2, padding="same"), IMAGES),
    "transposed_open": layer(lambda k: k.Conv2DTranspose(4, 3, strides=2), OPEN),
    "transposed_1d": layer(lambda k: k.Conv1DTranspose(4, 3, strides=2), Spec(("b", 8, 3))),
    "depthwise": layer(lambda k: k.DepthwiseConv2D(3, depth_multiplier=2), IMAGES),
    "separable": layer(lambda k: k.SeparableConv2D(4, 3, padding="same"), IMAGES),
    "max_pooling": layer(lambda k: k.MaxPool2D(), IMAGES),
    "max_pooling_open": layer(lambda k: k.MaxPool2D(3, 2, padding="same"), OPEN),
    "max_pooling_1d": layer(lambda k: k.MaxPool1D(2), SEQUENCE),
    "average_pooling": layer(lambda k: k.AveragePooling2D(3, 2, padding="same"), IMAGES),
    "average_pooling_open": layer(lambda k: k.AveragePooling2D(3, 2, padding="same"), OPEN),
    "average_pooling_3d": layer(lambda k: k.AveragePooling3D(2), Spec(("b", 4, 4, 4, 2))),
    "global_average": layer(lambda k: k.GlobalAveragePooling2D(), OPEN),
    "global_max": layer(lambda k: k.GlobalMaxPooling1D(), SEQUENCE),
    "lstm": layer(lambda k: k.LSTM(4), Spec(("b", 5, 3))),
    "lstm_open": layer(lambda k: k.LSTM(4), SEQUENCE, least=STEPS),
    "lstm_states": layer(lambda k: k.LSTM(4, return_sequences=True, return_state=True), SEQUENCE, least=STEPS),
    "lstm_unrolled": layer(lambda k: k.LSTM(4, unroll=True), Spec(("b", 5, 3))),
    "lstm_backwards": layer(lambda k: k.LSTM(4, go_backwards=True, return_sequences=True), SEQUENCE, least=STEPS),
    "gru": layer(lambda k: k.GRU(4, return_sequences=True), SEQUENCE, least=STEPS),
    "simple_rnn": layer(lambda k: k.SimpleRNN(4), SEQUENCE, least=STEPS),
    "bidirectional": layer(lambda k: k.Bidirectional(k.LSTM(4, return_sequences=True)), SEQUENCE, least=STEPS),
    "lstm_stateful": layer(lambda k: k.LSTM(4, stateful=True), Spec((2, 5, 3)), calls=3),
    "conv_lstm": layer(lambda k: k.ConvLSTM2D(2, 3), Spec(("b", 4, 6, 6, 2))),
    "stacked_rnn": layer(lambda k: k.RNN([k.LSTMCell(4), k.GRUCell(3)]), SEQUENCE, least=STEPS),
    "embedding": layer(lambda k: k.Embedding(10, 4), Spec(("b", "t"), "int32", below(10))),
    "embedding_masked": layer(
        sequential(lambda k: k.Embedding(10, 4, mask_zero=True), lambda k: k.LSTM(4)),
        Spec(("b", "t"), "int32", below(3)),
        least=STEPS,
    ),
    "layer_norm": layer(lambda k: k.LayerNormalization(), Spec(("b", "t", 8))),
    "group_norm": layer(lambda k: k.GroupNormalization(2), Spec(("b", 4, 4, 6))),
    "unit_norm": layer(lambda k: k.UnitNormalization(), Spec(("b", 4))),
    "batch_norm": layer(lambda k: k.BatchNormalization(), Spec(("b", 4, 4, 6))),
    "batch_norm_training": layer(lambda k: k.BatchNormalization(), Spec(("b", 4, 4, 6)), training=True, calls=2),
    "batch_norm_rows": layer(lambda k: k.BatchNormalization(), Spec(("b", 6)), training=True, calls=2),
    "attention_heads": layer(
        lambda k: k.MultiHeadAttention(2, 4),
        Spec(("b", "t", 8)),
        Spec(("b", "w", 8)),
    ),
    "attention_heads_fixed": layer(lambda k: k.MultiHeadAttention(2, 4), Spec(("b", 5, 8)), Spec(("b", 5, 8))),
    "attention": layer(attention, Spec(("b", "t", 8)), Spec(("b", "w", 8))),
    "up_sampling": layer(lambda k: k.UpSampling2D(2), OPEN),
    "up_sampling_bilinear": layer(lambda k: k.UpSampling2D(2, interpolation="bilinear"), IMAGES),
    # TensorFlow refuses images without pixels.
    "resizing": layer(lambda k: k.Resizing(6, 11), OPEN, least={"h": 1, "w": 1}),
    "rescaling": layer(lambda k: k.Rescaling(1 / 255.0, offset=1.0), OPEN),
    "cropping": layer(lambda k: k.Cropping2D(1), OPEN),
    "zero_padding": layer(lambda k: k.ZeroPadding2D(1), OPEN),
    "flatten": layer(lambda k: k.Flatten(), Spec(("b", 4, 3))),
    "reshape": layer(lambda k: k.Reshape((-1, 2)), Spec(("b", 4, 3))),
    "permute": layer(lambda k: k.Permute((2, 1)), SEQUENCE),
    "repeat": layer(lambda k: k.RepeatVector(3), Spec(("b", 4))),
    "dropout": layer(lambda k: k.Dropout(0.5), Spec(("b", 4))),
    "dropout_training": layer(lambda k: k.Dropout(0.5, seed=3), Spec(("b", 9)), training=True, calls=3),
    "gaussian_noise": layer(lambda k: k.GaussianNoise(0.5, seed=3), Spec(("b", 9)), training=True, calls=2),
    "softmax": layer(lambda k: k.Softmax(), Spec(("b", "t"))),
    "prelu": layer(lambda k: k.PReLU(), Spec(("b", 4))),
    "activations": layer(
        sequential(
            *(
                lambda k, a=a: k.Activation(a)
                for a in (
                    "elu selu softplus softsign tanh sigmoid hard_sigmoid swish gelu leaky_relu relu6 mish exponential"
                ).split()
            )
        ),
        Spec(("b", 4)),
    ),
    "normalization": layer(lambda k: k.Normalization(mean=1.0, variance=2.0), Spec(("b", 4))),
    "discretization": layer(lambda k: k.Discretization([0.0, 1.0, 2.0]), Spec(("b", 4))),
    "multi_hot": layer(lambda k: k.CategoryEncoding(5, "multi_hot"), Spec(("b", 4), "int32", below(5))),
    "one_hot": layer(lambda k: k.CategoryEncoding(5, "one_hot"), Spec(("b", 1), "int32", below(5))),
    "time_distributed": layer(lambda k: k.TimeDistributed(k.Dense(3)), Spec(("b", 5, 4))),
    "time_distributed_conv": layer(lambda k: k.TimeDistributed(k.Conv2D(3, 3)), Spec(("b", 4, 6, 6, 2))),
    "einsum_dense": layer(lambda k: k.EinsumDense("abc,cd->abd", output_shape=(None, 4)), Spec(("b", "t", 8))),
    "spectrogram": layer(lambda k: k.STFTSpectrogram(frame_length=8, frame_step=4, fft_length=8), Spec(("b", 32, 1))),
    "random_flip": layer(lambda k: k.RandomFlip(seed=3), IMAGES, training=True, calls=2),
    "random_rotation": layer(lambda k: k.RandomRotation(0.1, seed=3), IMAGES, training=True, calls=2),
    "random_contrast": layer(lambda k: k.RandomContrast(0.3, seed=3), IMAGES, training=True, calls=2),
    # ------------------------------------------------------------------------------------------ training
    "sgd": training(
        sequential(lambda k: k.Dense(5, activation="tanh"), lambda k: k.Dense(2)),
        lambda o: o.SGD(0.1),
        Spec(("b", 4)),
        Spec(("b", 2)),
    ),
    "sgd_momentum": training(
        lambda k: k.Dense(2), lambda o: o.SGD(0.1, momentum=0.9, nesterov=True), Spec(("b", 4)), Spec(("b", 2))
    ),
    "adam": training(
        sequential(lambda k: k.Dense(5, activation="gelu"), lambda k: k.LayerNormalization(), lambda k: k.Dense(2)),
        lambda o: o.Adam(0.1),
        Spec(("b", 4)),
        Spec(("b", 2)),
        tolerance=2e-3,
    ),
    "adamw": training(
        lambda k: k.Dense(2), lambda o: o.AdamW(0.1, clipnorm=1.0), Spec(("b", 4)), Spec(("b", 2)), tolerance=2e-3
    ),
    "rms_prop": training(
        lambda k: k.Dense(2, activation="sigmoid"),
        lambda o: o.RMSprop(0.1, momentum=0.5, centered=True),
        Spec(("b", 4)),
        Spec(("b", 2)),
    ),
    "adagrad": training(
        lambda k: k.Dense(2, activation="softplus"), lambda o: o.Adagrad(0.1), Spec(("b", 4)), Spec(("b", 2))
    ),
    "conv_training": training(
        sequential(
            lambda k: k.Conv2D(4, 3, padding="same", strides=2, activation="relu"),
            lambda k: k.BatchNormalization(),
            lambda k: k.MaxPool2D(),
            lambda k: k.DepthwiseConv2D(2, activation="elu"),
            lambda k: k.GlobalAveragePooling2D(),
            lambda k: k.Dense(2),
        ),
        lambda o: o.SGD(0.1),
        IMAGES,
        Spec(("b", 2)),
    ),
    "pooling_training": training(
        sequential(
            lambda k: k.Conv2D(2, 2),
            lambda k: k.AveragePooling2D(3, 2, padding="same"),
            lambda k: k.UpSampling2D(2),
            lambda k: k.Flatten(),
            lambda k: k.Dense(2),
        ),
        lambda o: o.SGD(0.01),
        Spec(("b", 6, 6, 2)),
        Spec(("b", 2)),
    ),
    "lstm_training": training(lambda k: k.LSTM(4), lambda o: o.SGD(0.1), SEQUENCE, Spec(("b", 4)), least=STEPS),
    "gru_training": training(
        sequential(lambda k: k.GRU(4, return_sequences=True), lambda k: k.Dense(2)),
        lambda o: o.SGD(0.1),
        SEQUENCE,
        Spec(("b", "t", 2)),
        least=STEPS,
    ),
    "attention_training": training(
        sequential(lambda k: k.Dense(8), lambda k: _self_attention(k), lambda k: k.Dense(2)),
        lambda o: o.SGD(0.1),
        SEQUENCE,
        Spec(("b", "t", 2)),
        tolerance=1e-3,
    ),
}


def _self_attention(layers: Any) -> Any:
    class SelfAttention(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.heads = layers.MultiHeadAttention(2, 4)

        def build(self, shape: Any) -> None:
            self.heads.build(shape, shape)

        def call(self, x: Any) -> Any:
            return x + self.heads(x, x)

    return SelfAttention()
