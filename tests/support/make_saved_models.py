"""A process of its own: `python make_saved_models.py FOLDER NAME…` saves models, loads them again, and calls them.

For every model there is `FOLDER/NAME`, the SavedModel, and `FOLDER/NAME.pickle`: the calls, in order, each a tuple of
the function's name, its positional and keyword arguments, its results, and all variables after the call, by path and by
name. Named tuples become `(type name, dict)`. `FOLDER/NAME.sizes.pickle` has the calls of the functions with open
dimensions, for 200 combinations of sizes, each from the values of the variables that were saved.
TensorFlow is never imported by the tests themselves.
"""

from __future__ import annotations

import collections
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # its convolutions refuse a batch of 0

import keras
import numpy as np
import tensorflow as tf
from saved_model_calls import calls_of, sized_calls_of

F32, I32 = tf.float32, tf.int32
MODELS: dict[str, Callable[[], Any]] = {}
Pair = collections.namedtuple("Pair", "second first")


def model(function: Callable[[], Any]) -> Callable[[], Any]:
    """`function` gives the object to save; with a second value, the signatures. Keras models are exported."""
    MODELS[function.__name__] = function
    return function


def spec(*shape: int | None, dtype: Any = F32, name: str | None = None) -> Any:
    return tf.TensorSpec(shape, dtype, name)


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def traced(*signature: Any) -> Callable[[Any], Any]:
    return tf.function(input_signature=signature)


# ---------------------------------------------------------------------------------------------- the twelve


@model
def mlp() -> Any:
    module = tf.Module()
    module.w1, module.b1 = tf.Variable(normal(4, 8)), tf.Variable(normal(8, seed=1))
    module.layers = [tf.Variable(normal(8, 3, seed=2))]
    module.predict = traced(spec(None, 4, name="x"))(lambda x: tf.nn.relu(x @ module.w1 + module.b1) @ module.layers[0])
    return module


@model
def counter() -> Any:
    module = tf.Module()
    module.n = tf.Variable(0, dtype=tf.int64)
    module.step = traced()(lambda: module.n.assign_add(1))
    module.get = traced()(lambda: module.n.read_value())
    return module


@model
def sgd_momentum() -> Any:
    module = tf.Module()
    module.w, module.b = tf.Variable(normal(4, 2)), tf.Variable(tf.zeros(2))
    module.vw, module.vb = tf.Variable(tf.zeros((4, 2))), tf.Variable(tf.zeros(2))
    module.rate = tf.Variable(0.1)

    @traced(spec(None, 4), spec(None, 2))
    def train(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((x @ module.w + module.b - y) ** 2)
        gradients = tape.gradient(loss, [module.w, module.b])
        for variable, velocity, gradient in zip([module.w, module.b], [module.vw, module.vb], gradients, strict=True):
            velocity.assign(0.9 * velocity + gradient)
            variable.assign_sub(module.rate * velocity)
        return loss

    module.train = train
    module.predict = traced(spec(None, 4))(lambda x: x @ module.w + module.b)
    return module


@model
def keras_adam() -> Any:
    """Adam, batch normalisation that learns its statistics, a dropout that drops nothing."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.0),
            layers.Dense(3),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-2)
    optimizer.build(network.trainable_variables)
    module = tf.Module()
    module.network = [v.value for v in network.variables]
    module.optimizer = [v.value for v in optimizer.variables]

    @traced(spec(None, 6), spec(None, dtype=I32))
    def train(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = network(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        gradients = tape.gradient(loss, [v.value for v in network.trainable_variables])
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    module.train = train
    return module


@model
def lstm_state() -> Any:
    keras.utils.set_random_seed(0)
    cell = keras.layers.LSTMCell(5)
    cell.build((None, 3))
    module = tf.Module()
    module.weights = [v.value for v in cell.variables]
    module.h, module.c = tf.Variable(tf.zeros((2, 5))), tf.Variable(tf.zeros((2, 5)))

    @traced(spec(2, 3))
    def step(x: Any) -> Any:
        y, (h, c) = cell(x, [module.h, module.c])
        module.h.assign(h)
        module.c.assign(c)
        return y

    module.step = step
    return module


@model
def keras_stateful_lstm() -> Any:
    keras.utils.set_random_seed(0)
    lstm = keras.layers.LSTM(5, stateful=True, return_sequences=True)
    network = keras.Sequential([keras.Input(batch_shape=(2, 4, 3)), lstm, keras.layers.Dense(2)])
    module = tf.Module()
    module.network = network
    module.step = traced(spec(2, 4, 3))(lambda x: network(x))
    return module


@model
def convnet() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((17, 16, 3)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.Conv2D(8, 3, padding="same", strides=2),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(4, activation="softmax"),
        ]
    )


@model
def transformer_encoder() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((None, 16))
    attended = layers.MultiHeadAttention(2, 8)(inputs, inputs)
    x = layers.LayerNormalization()(inputs + attended)
    hidden = layers.Dense(16)(layers.Dense(32, activation="gelu")(x))
    return keras.Model(inputs, layers.LayerNormalization()(x + hidden))


@model
def while_tensor_array() -> Any:
    module = tf.Module()
    module.count = tf.Variable(0.0)

    @traced(spec(None, 4))
    def run(x: Any) -> Any:
        array = tf.TensorArray(F32, size=tf.shape(x)[0])
        total, i = tf.zeros(4), 0
        while i < tf.shape(x)[0]:
            total = total * 0.5 + x[i]
            array = array.write(i, total)
            module.count.assign_add(1.0)
            i += 1
        return array.stack(), module.count.read_value()

    module.run = run
    return module


@model
def growing_tensor_array() -> Any:
    module = tf.Module()
    module.total = tf.Variable(tf.zeros(3))

    @traced(spec(None, 3))
    def positive(x: Any) -> Any:
        array = tf.TensorArray(F32, size=0, dynamic_size=True, element_shape=[3])
        for row in x:
            if tf.reduce_sum(row) > 0.0:
                array = array.write(array.size(), row)
        module.total.assign_add(tf.reduce_sum(array.stack(), 0))
        return array.stack()

    module.positive = positive
    return module


@model
def dynamic_batch() -> Any:
    module = tf.Module()
    module.w = tf.Variable(normal(4, 3))

    @traced(spec(None, 4))
    def run(x: Any) -> Any:
        y = tf.nn.softmax(x @ module.w)
        return tf.concat([y, tf.reduce_max(y, 1, keepdims=True)], 1), tf.reshape(y, [-1]), tf.shape(y)

    module.run = run
    return module


@model
def signatures() -> Any:
    """Several signatures, nested arguments and results; one variable that all of them share."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)

    @traced({"image": [spec(None, 2), spec(2)], "pair": (spec(), [spec()])}, spec(2, name="bias"))
    def nested(inputs: Any, bias: Any) -> Any:
        module.scale.assign_add(inputs["pair"][1][0])
        image = inputs["image"][0] * module.scale + bias
        return {"image": image, "rest": ([inputs["image"][1]], inputs["pair"][0]), "none": None, "three": 3.0}

    @traced(spec(3, name="y"), spec(None, name="x"))
    def named(y: Any, x: Any) -> Any:
        return {"sum": tf.reduce_sum(x) + y, "product": module.scale * x}

    @traced(spec(3))
    def single(x: Any) -> Any:
        return (x * module.scale,)

    @tf.function
    def keywords(pair: Any, *rest: Any, b: Any, a: Any) -> Any:
        return [pair.first - pair.second, Pair(rest[0] + b, a * 10.0)], rest[1]

    keywords(Pair(1.0 * tf.ones(()), tf.ones(2)), tf.ones(()), tf.ones(2), b=tf.ones(()), a=tf.ones(()))
    module.nested, module.single, module.keywords = nested, single, keywords
    return module, {"serving_default": named, "doubled": single.get_concrete_function()}


# ---------------------------------------------------------------------------------------------- further ones


@model
def updates() -> Any:
    """Branches that update, and updates of parts of variables."""
    module = tf.Module()
    module.v, module.table = tf.Variable([1.0, 2.0, 3.0]), tf.Variable(normal(5, 2))

    @traced(spec(3))
    def branch(x: Any) -> Any:
        if tf.reduce_sum(x) > 0.0:
            module.v.assign_add(x)
        else:
            module.v.assign(x * module.v)
        return module.v.read_value()

    @traced(spec(2))
    def parts(x: Any) -> Any:
        module.v.scatter_nd_update([[1]], x[:1])
        module.v[:1].assign(x[1:])
        module.table.scatter_add(tf.IndexedSlices(x[None], [3]))
        return tf.gather(module.table, [3, 0])

    @traced(spec(None, 2, dtype=I32))
    def elements(i: Any) -> Any:
        before = module.table.gather_nd(i % 2)
        module.table.assign_add(tf.ones_like(module.table))
        return before, module.table.gather_nd(i % 2)

    module.branch, module.parts, module.elements = branch, parts, elements
    return module


@model
def constants() -> Any:
    """Constants in functions and beside them, small and large; a variable that grows; one of each of several types."""
    module = tf.Module()
    captured, large = tf.constant(normal(3)), tf.constant(normal(40, 40))
    module.rows = tf.Variable(tf.zeros((1, 2)), shape=tf.TensorShape((None, 2)))
    module.types = [tf.Variable(normal(3), dtype=t) for t in (tf.float16, tf.bfloat16, tf.float64)]
    module.types += [tf.Variable(tf.cast([1, 0, 1], t)) for t in (tf.uint8, tf.int16, tf.bool)]

    @traced(spec(3))
    def inside(x: Any) -> Any:
        return x * captured + tf.reduce_sum(tf.constant(normal(64, 64, seed=3)) * 0.5) + tf.reduce_max(large)

    @traced(spec(None, 2))
    def append(x: Any) -> Any:
        module.rows.assign(tf.concat([module.rows, x], 0))
        return tf.shape(module.rows)

    @traced()
    def typed() -> Any:
        return [v + v if v.dtype != tf.bool else tf.logical_not(v) for v in module.types]

    module.inside, module.append, module.typed = inside, append, typed
    return module


@model
def traces() -> Any:
    """A function with several traces, and one in a part of the module."""
    module = tf.Module()
    module.part = tf.Module()
    module.part.scale = tf.Variable(3.0)

    @tf.function
    def call(x: Any, training: bool = False) -> Any:
        return x * module.part.scale if training else x - module.part.scale

    call(tf.zeros(2))
    call(tf.zeros(2), training=True)
    module.call = call
    module.part.double = traced(spec(2))(lambda x: 2.0 * x * module.part.scale)
    module.part._hidden = traced(spec(2))(lambda x: x)
    return module


@model
def keras_export() -> Any:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    joined = layers.Concatenate()([layers.Dense(5, activation="tanh")(left), right])
    outputs = {"score": layers.Dense(1)(joined), "hidden": layers.BatchNormalization()(joined)}
    return keras.Model({"left": left, "right": right}, outputs)


@model
def from_jax() -> Any:
    """StableHLO inside the model: dynamic sizes, several platforms, and a call back into TensorFlow."""
    import jax.numpy as jnp
    from jax.experimental import jax2tf

    module = tf.Module()
    module.w = tf.Variable(normal(4, 3))
    network = jax2tf.convert(lambda w, x: (jnp.tanh(x @ w), x.sum()), polymorphic_shapes=[None, "(b, 4)"])
    several = jax2tf.convert(lambda x: jnp.sin(x) * 2, native_serialization_platforms=["cuda", "cpu"])
    back = jax2tf.convert(
        lambda x: jax2tf.call_tf(lambda y: tf.math.square(y) + 1.0, call_tf_graph=True, output_shape_dtype=x)(x) * 3
    )
    update = jax2tf.convert(lambda w, g: w - 0.1 * g)

    def step(g: Any) -> Any:
        module.w.assign(update(module.w, g))
        return module.w.read_value()

    def trace(function: Any, *signature: Any) -> Any:
        return tf.function(function, input_signature=signature, autograph=False)

    module.network = trace(lambda x: network(module.w, x), spec(None, 4))
    module.several = trace(lambda x: several(x) + several(x), spec(5))
    module.back = trace(lambda x: back(x), spec(5))
    module.step = trace(step, spec(4, 3))
    return module


# ---------------------------------------------------------------------------------------------- large ones


def _randomized(network: Any) -> Any:
    """Statistics of normalisation that no layer has by chance: else the activations vanish, and nothing is compared."""
    rng = np.random.default_rng(1)
    for v in network.variables:
        if "moving" in v.name or "gamma" in v.name or "beta" in v.name:
            low = 0.5 if "variance" in v.name or "gamma" in v.name else -0.1
            v.assign(rng.uniform(low, low + 1.0, v.shape))
    return network


@model
def resnet50() -> Any:
    keras.utils.set_random_seed(0)
    network = keras.applications.ResNet50(weights=None, classifier_activation=None, input_shape=(96, 96, 3))
    return _randomized(network)


@model
def mobilenetv2() -> Any:
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(weights=None, classifier_activation=None, input_shape=(96, 96, 3))
    return _randomized(network)


# ---------------------------------------------------------------------------------------------- refused


def _table() -> Any:
    keys, values = tf.constant([1, 2], tf.int64), tf.constant([3, 4], tf.int64)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)


@model
def unused_table() -> Any:
    """A function that takes a table and makes nothing of it."""
    module = tf.Module()
    module.table, module.scale = _table(), tf.Variable(2.0)

    @traced(spec(None))
    def call(x: Any) -> Any:
        module.table.lookup(tf.constant([1], tf.int64))
        return x * module.scale.assign_add(1.0)

    module.call = call
    return module


@model
def refused() -> Any:
    """Functions with operations, arguments and variables that no program can have."""
    module = tf.Module()
    module.vocabulary, module.word, module.w = _table(), tf.Variable("x"), tf.Variable([1.0, 2.0])

    @traced(spec(None, dtype=tf.int64))
    def look(x: Any) -> Any:
        return module.vocabulary.lookup(x) + 1

    @traced(spec(dtype=tf.string, name="text"))
    def read(text: Any) -> Any:
        return tf.raw_ops.BesselK0(x=tf.strings.to_number(text)) + module.w

    @traced(tf.TensorSpec(None, F32, "x"))
    def open_rank(x: Any) -> Any:
        with tf.name_scope("block"):
            return tf.raw_ops.BesselK0(x=tf.transpose(x))

    @traced()
    def spell() -> Any:
        return tf.strings.length(module.word)

    @traced(spec(2))
    def fine(x: Any) -> Any:
        return x + module.w

    module.look, module.read, module.open_rank, module.spell, module.fine = look, read, open_rank, spell, fine
    return module


UNCALLED = frozenset({"refused"})


def main(folder: Path, names: list[str]) -> None:
    for name in names:
        made = MODELS[name]()
        target = str(folder / name)
        if isinstance(made, keras.Model):
            made.export(target, verbose=False)
        elif isinstance(made, tuple):
            tf.saved_model.save(made[0], target, signatures=made[1])
        else:
            tf.saved_model.save(made, target)
        if name in UNCALLED:
            continue
        rng = np.random.default_rng(3)
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(calls_of(tf.saved_model.load(target), rng)))
        sized = sized_calls_of(tf.saved_model.load(target), rng, name)
        (folder / f"{name}.sizes.pickle").write_bytes(pickle.dumps(sized))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
