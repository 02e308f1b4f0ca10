"""A process of its own: `python tf_models.py FOLDER [NAME …]` writes SavedModels and what TensorFlow makes of them.

For every model there is a folder: `saved_model`, as TensorFlow or Keras writes it, before the first call; `calls.json`,
the calls, with their arguments and results; `arrays.npz`, the arrays that it names by number. Or `error.txt`.

    {"calls": [{"function": "step", "positional": [VALUE, …], "keyword": {"x": VALUE}, "result": VALUE}, …],
     "variables": {"kernel": [VALUE, VALUE], …}}                        before the first call and after the last
    VALUE   3, the array of this number; {"list": […]}, {"tuple": […]}, {"dict": {…}}, {"namedtuple": […]}
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

if __name__ == "__main__":
    # Before TensorFlow is imported, which sizes its pools by them.
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}
    import keras
    import tensorflow as tf
else:
    keras: Any = None
    tf: Any = None

STEPS = 5


class Call(NamedTuple):
    """A call of the function that TensorFlow calls `function`, with nested arguments."""

    function: str
    positional: Sequence[Any] = ()
    keyword: Mapping[str, Any] = {}


@dataclass
class Model:
    """`variables`: by the names that they have in the program. `call` is how TensorFlow itself makes a call."""

    module: Any
    calls: Sequence[Call]
    variables: Mapping[str, Any] = field(default_factory=dict[str, Any])
    signatures: Any = None
    save: Callable[[str], None] | None = None
    call: Callable[[Call], Any] | None = None


MODELS: dict[str, Callable[[np.random.Generator], Model]] = {}


def model(make: Callable[[np.random.Generator], Model]) -> Callable[[np.random.Generator], Model]:
    MODELS[make.__name__] = make
    return make


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Any:
    return (rng.normal(size=shape) * scale).astype(np.float32)


def spec(*shape: int | None, dtype: Any = None, name: str | None = None) -> Any:
    return tf.TensorSpec(shape, dtype or tf.float32, name=name)


def variables_of(module: Any, *names: str) -> dict[str, Any]:
    """The attributes `names` of the module. A variable in an attribute is called like it."""
    return {name: getattr(module, name) for name in names}


def step_of(module: Any, function: Callable[..., Any], *specs: Any) -> None:
    module.step = tf.function(function, input_signature=specs, autograph=False)


# ------------------------------------------------------------------------------------- networks without state


def mlp(rng: np.random.Generator, batch: int | None, sizes: Sequence[int]) -> Model:
    """12 -> 32 -> 16 -> 5."""
    m = tf.Module()
    widths = (12, 32, 16, 5)
    for i in range(3):
        setattr(m, f"kernel{i}", tf.Variable(normal(rng, widths[i], widths[i + 1], scale=widths[i] ** -0.5)))
        setattr(m, f"bias{i}", tf.Variable(normal(rng, widths[i + 1])))

    def step(x: Any) -> Any:
        x = tf.nn.relu(tf.matmul(x, m.kernel0) + m.bias0)
        x = tf.tanh(tf.matmul(x, m.kernel1) + m.bias1)
        return tf.nn.softmax(tf.matmul(x, m.kernel2) + m.bias2)

    step_of(m, step, spec(batch, 12))
    names = [f"{kind}{i}" for kind in ("kernel", "bias") for i in range(3)]
    return Model(m, [Call("step", [normal(rng, n, 12)]) for n in sizes], variables_of(m, *names))


@model
def multilayer_perceptron(rng: np.random.Generator) -> Model:
    return mlp(rng, 8, [8] * STEPS)


@model
def dynamic_batch(rng: np.random.Generator) -> Model:
    """The empty batch, one sample, primes."""
    return mlp(rng, None, [1, 0, 7, 31, 13])


@model
def convnet(rng: np.random.Generator) -> Model:
    """Convolution, strided and depthwise convolution, pooling with and without padding, the mean of the pixels."""
    m = tf.Module()
    m.first = tf.Variable(normal(rng, 3, 3, 3, 8, scale=0.2))
    m.strided = tf.Variable(normal(rng, 3, 3, 8, 16, scale=0.12))
    m.depthwise = tf.Variable(normal(rng, 3, 3, 16, 1, scale=0.3))
    m.head = tf.Variable(normal(rng, 16, 10, scale=0.25))
    m.bias = tf.Variable(normal(rng, 8))

    def step(x: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(x, m.first, 1, "SAME") + m.bias)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.nn.relu(tf.nn.conv2d(x, m.strided, 2, "SAME"))
        x = tf.nn.avg_pool2d(x, 3, 1, "SAME")
        x = tf.nn.depthwise_conv2d(x, m.depthwise, [1, 1, 1, 1], "VALID")
        return tf.matmul(tf.reduce_mean(x, [1, 2]), m.head)

    step_of(m, step, spec(2, 20, 20, 3))
    calls = [Call("step", [normal(rng, 2, 20, 20, 3)]) for _ in range(STEPS)]
    return Model(m, calls, variables_of(m, "first", "strided", "depthwise", "head", "bias"))


@model
def transformer_encoder(rng: np.random.Generator) -> Model:
    """Embedding, two blocks of attention over unmasked tokens and a network with GELU, layer norms before them."""
    vocabulary, length, features, heads, blocks = 50, 12, 32, 4, 2
    m = tf.Module()
    shapes = {"embedding": (vocabulary, features), "position": (length, features)}
    for b in range(blocks):
        shapes |= {f"qkv{b}": (features, 3 * features), f"project{b}": (features, features)}
        shapes |= {f"up{b}": (features, 4 * features), f"down{b}": (4 * features, features)}
    for name, shape in shapes.items():
        setattr(m, name, tf.Variable(normal(rng, *shape, scale=shape[0] ** -0.5)))
    m.scale = tf.Variable(1 + normal(rng, features, scale=0.1))
    m.shift = tf.Variable(normal(rng, features, scale=0.1))

    def norm(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5) * m.scale + m.shift

    def attention(x: Any, mask: Any, b: int) -> Any:
        batch = tf.shape(x)[0]
        qkv = tf.reshape(tf.einsum("blf,fg->blg", norm(x), getattr(m, f"qkv{b}")), [batch, length, 3, heads, -1])
        q, k, v = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        scores = tf.matmul(q, k, transpose_b=True) * (features // heads) ** -0.5
        scores = tf.where(mask[:, None, None, :], scores, -1e9)
        mixed = tf.transpose(tf.matmul(tf.nn.softmax(scores), v), [0, 2, 1, 3])
        return tf.einsum("blf,fg->blg", tf.reshape(mixed, [batch, length, features]), getattr(m, f"project{b}"))

    def step(tokens: Any, mask: Any) -> Any:
        x = tf.gather(m.embedding, tokens) + m.position
        for b in range(blocks):
            x += attention(x, mask, b)
            hidden = tf.nn.gelu(tf.einsum("blf,fg->blg", norm(x), getattr(m, f"up{b}")))
            x += tf.einsum("blf,fg->blg", hidden, getattr(m, f"down{b}"))
        weights = tf.cast(mask, tf.float32)[:, :, None]
        return tf.reduce_sum(x * weights, 1) / tf.reduce_sum(weights, 1)

    step_of(m, step, spec(None, length, dtype=tf.int32), spec(None, length, dtype=tf.bool))
    calls: list[Call] = []
    for batch in (1, 2, 3, 5, 2):
        lengths = rng.integers(1, length + 1, (batch, 1))
        tokens = rng.integers(0, vocabulary, (batch, length), np.int32)
        calls.append(Call("step", [tokens, np.arange(length)[None] < lengths]))
    return Model(m, calls, variables_of(m, *shapes, "scale", "shift"))


# ------------------------------------------------------------------------------------------------- state


@model
def counter(rng: np.random.Generator) -> Model:
    """Two functions that share variables; the sum is read after it was written."""
    m = tf.Module()
    m.count = tf.Variable(0, dtype=tf.int64)
    m.total = tf.Variable(np.zeros(3, np.float32))

    def step(x: Any) -> Any:
        m.count.assign_add(1)
        m.total.assign_add(x)
        return m.count.read_value(), m.total / tf.cast(m.count, tf.float32)

    def reset() -> Any:
        before = m.count.read_value()
        m.count.assign(0)
        m.total.assign(tf.zeros_like(m.total))
        return before

    step_of(m, step, spec(3))
    m.reset = tf.function(reset, input_signature=[], autograph=False)
    steps = [Call("step", [normal(rng, 3)]) for _ in range(STEPS)]
    return Model(m, [*steps[:2], Call("reset"), *steps[2:]], variables_of(m, "count", "total"))


@model
def sgd_momentum(rng: np.random.Generator) -> Model:
    """Training steps of a small network, gradients by TensorFlow, momentum in variables."""
    m = tf.Module()
    shapes = {"kernel": (6, 16), "bias": (16,), "head": (16, 3)}
    for name, shape in shapes.items():
        setattr(m, name, tf.Variable(normal(rng, *shape, scale=0.4)))
        setattr(m, f"{name}_momentum", tf.Variable(np.zeros(shape, np.float32)))

    def step(x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = tf.matmul(tf.tanh(tf.matmul(x, m.kernel) + m.bias), m.head)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        trained = [getattr(m, name) for name in shapes]
        for name, variable, gradient in zip(shapes, trained, tape.gradient(loss, trained), strict=True):
            momentum = getattr(m, f"{name}_momentum")
            momentum.assign(0.9 * momentum + gradient)
            variable.assign_sub(0.1 * momentum)
        return loss

    step_of(m, step, spec(None, 6), spec(None, dtype=tf.int32))
    calls = [Call("step", [normal(rng, n, 6), rng.integers(0, 3, n, np.int32)]) for n in (8, 8, 5, 1, 8)]
    return Model(m, calls, variables_of(m, *shapes, *(f"{name}_momentum" for name in shapes)))


@model
def keras_adam(rng: np.random.Generator) -> Model:
    """Training steps of Keras: Adam, batch norm that learns its statistics, dropout switched off."""
    m = tf.Module()
    m.network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3),
        ]
    )
    # Large enough that the rounding of gradients near zero does not show.
    m.optimizer = keras.optimizers.Adam(0.01, epsilon=1e-3)
    m.optimizer.build(m.network.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(x: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            hidden = x
            for layer in m.network.layers:
                normalizes = isinstance(layer, keras.layers.BatchNormalization)
                hidden = layer(hidden, training=True) if normalizes else layer(hidden)
            loss = loss_of(labels, hidden)
        trained = m.network.trainable_variables
        m.optimizer.apply_gradients(zip(tape.gradient(loss, trained), trained, strict=True))
        return loss

    step_of(m, step, spec(8, 6), spec(8, dtype=tf.int32))
    m.predict = tf.function(lambda x: m.network(x, training=False), input_signature=[spec(None, 6)], autograph=False)
    calls = [Call("step", [normal(rng, 8, 6), rng.integers(0, 3, 8, np.int32)]) for _ in range(STEPS)]
    used = [v for v in (*m.network.variables, *m.optimizer.variables) if "seed_generator" not in v.path]
    m.state = {v.path.replace("/", "_"): v.value for v in used}
    variables = {f"state.{name}": v for name, v in m.state.items()}
    for own in ("iteration", "learning_rate"):
        # The optimizer saves these a second time, in private attributes: they go by the names that Keras gave them.
        variables[f"adam/{own}"] = variables.pop(f"state.adam_{own}")
    return Model(m, [*calls, Call("predict", [normal(rng, 3, 6)])], variables)


@model
def lstm_with_state(rng: np.random.Generator) -> Model:
    """A cell whose memory stays in variables from call to call."""
    m = tf.Module()
    m.kernel = tf.Variable(normal(rng, 5 + 8, 4 * 8, scale=0.3))
    m.bias = tf.Variable(normal(rng, 4 * 8, scale=0.1))
    m.hidden = tf.Variable(np.zeros((2, 8), np.float32))
    m.memory = tf.Variable(np.zeros((2, 8), np.float32))

    def step(x: Any) -> Any:
        gates = tf.matmul(tf.concat([x, m.hidden], 1), m.kernel) + m.bias
        i, f, g, o = tf.split(gates, 4, 1)
        m.memory.assign(tf.sigmoid(f) * m.memory + tf.sigmoid(i) * tf.tanh(g))
        m.hidden.assign(tf.sigmoid(o) * tf.tanh(m.memory))
        return m.hidden.read_value()

    step_of(m, step, spec(2, 5))
    calls = [Call("step", [normal(rng, 2, 5)]) for _ in range(STEPS)]
    return Model(m, calls, variables_of(m, "kernel", "bias", "hidden", "memory"))


@model
def keras_lstm(rng: np.random.Generator) -> Model:
    """keras.layers.LSTM(stateful=True): a loop over the time steps, its last state is the next call's first."""
    m = tf.Module()
    m.layer = keras.layers.LSTM(8, stateful=True, return_sequences=True)
    m.layer.build((2, 6, 5))
    step_of(m, lambda x: m.layer(x), spec(2, 6, 5))
    m.reset = tf.function(lambda: m.layer.reset_state(), input_signature=[], autograph=False)
    steps = [Call("step", [normal(rng, 2, 6, 5)]) for _ in range(STEPS)]
    m.step(tf.zeros((2, 6, 5)))  # makes the state
    m.layer.reset_state()
    used = [v for v in m.layer.variables if "seed_generator" not in v.path]
    m.state = {f"{i}_{v.name}": v.value for i, v in enumerate(used)}
    variables = {f"state.{name}": v for name, v in m.state.items()}
    variables |= {f"layer.states.{i}": v.value for i, v in enumerate(m.layer.states)}
    return Model(m, [*steps[:3], Call("reset"), *steps[3:]], variables)


# ---------------------------------------------------------------------------------------------- loops, lists


@model
def while_tensor_array(rng: np.random.Generator) -> Model:
    """A recurrence over the rows, each written into an array of fixed size; stops early where the sum grows large."""
    m = tf.Module()
    m.weights = tf.Variable(normal(rng, 4, 4, scale=0.5))

    def step(x: Any, limit: Any) -> Any:
        rows = tf.TensorArray(tf.float32, size=7, element_shape=(3, 4))

        def body(i: Any, state: Any, rows: Any) -> Any:
            state = tf.tanh(tf.matmul(state, m.weights) + x[i])
            return i + 1, state, rows.write(i, state * 2)

        def goes_on(i: Any, state: Any, rows: Any) -> Any:
            return tf.logical_and(i < 7, tf.reduce_sum(tf.abs(state)) < limit)

        i, state, rows = tf.while_loop(goes_on, body, (0, tf.zeros((3, 4)), rows))
        return i, state, rows.stack()

    step_of(m, step, spec(7, 3, 4), spec())
    limits = np.array([1e9, 5, 0, 6.5, 1e9], np.float32)
    return Model(m, [Call("step", [normal(rng, 7, 3, 4), limit]) for limit in limits], variables_of(m, "weights"))


@model
def growing_tensor_array(rng: np.random.Generator) -> Model:
    """TensorArray(size=0, dynamic_size=True): how many rows it gets, the data says; also none at all."""
    m = tf.Module()
    m.scale = tf.Variable(np.float32(0.5))

    def step(x: Any, count: Any) -> Any:
        rows = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=(3,))
        _, rows = tf.while_loop(
            lambda i, rows: i < count,
            lambda i, rows: (i + 1, rows.write(i, x * m.scale * tf.cast(i + 1, tf.float32))),
            (0, rows),
        )
        stacked = rows.stack()
        return stacked, tf.reduce_sum(stacked, 0), rows.size()

    step_of(m, step, spec(3), spec(dtype=tf.int32))
    counts = np.array([3, 0, 1, 17, 5], np.int32)
    return Model(m, [Call("step", [normal(rng, 3), n]) for n in counts], variables_of(m, "scale"))


# ------------------------------------------------------------------------------------------- nested arguments


class Sample(NamedTuple):
    image: Any
    label: Any


@model
def nested_signatures(rng: np.random.Generator) -> Model:
    """Functions of nested arguments and results, and two signatures, of flat names."""
    m = tf.Module()
    m.weights = tf.Variable(normal(rng, 4, 3))
    m.calls = tf.Variable(0)

    def step(inputs: Any, pair: Any, *, scale: Any) -> Any:
        m.calls.assign_add(1)
        x = tf.matmul(inputs["x"], m.weights) * scale
        samples = [Sample(x + part, tf.argmax(x, 1)) for part in inputs["parts"]]
        return {"samples": samples, "pair": (pair[1], pair[0] + 1), "calls": m.calls.read_value()}

    def embed(x: Any) -> Any:
        return {"embedding": tf.matmul(x, m.weights), "norm": tf.norm(x, axis=1)}

    def classify(logits: Any, bias: Any) -> Any:
        m.calls.assign_add(10)
        return {"label": tf.argmax(logits + bias, 1), "probability": tf.reduce_max(tf.nn.softmax(logits + bias), 1)}

    m.step = tf.function(step, autograph=False)
    m.step.get_concrete_function(
        {"x": spec(None, 4), "parts": [spec(3), spec(None, 3)]}, (spec(dtype=tf.int32), spec(2)), scale=spec()
    )
    flat = tf.function(embed, input_signature=[spec(None, 4, name="x")], autograph=False)
    two = [spec(None, 3, name="logits"), spec(3, name="bias")]
    signatures = {"embed": flat, "classify": tf.function(classify, input_signature=two, autograph=False)}
    calls: list[Call] = []
    for n in (1, 2, 3):
        inputs = {"x": normal(rng, n, 4), "parts": [normal(rng, 3), normal(rng, n, 3)]}
        pair = (np.int32(n), normal(rng, 2))
        calls.append(Call("step", [inputs, pair], {"scale": np.float32(n)}))
    calls.append(Call("embed", (), {"x": normal(rng, 5, 4)}))
    calls.append(Call("classify", (), {"logits": normal(rng, 7, 3), "bias": normal(rng, 3)}))

    def call(c: Call) -> Any:
        return signatures.get(c.function, m.step)(*c.positional, **c.keyword)

    return Model(m, calls, variables_of(m, "weights", "calls"), signatures, call=call)


# ------------------------------------------------------------------------------------------- Keras applications


def application(rng: np.random.Generator, network: Any, size: int) -> Model:
    """An exported network without its last softmax, on batches of 1, 2 and 3 images."""
    for v in network.variables:
        # Statistics of one and zero would hide a batch norm that does nothing.
        kind = v.path.rsplit("/", 1)[-1]
        if kind in ("gamma", "moving_variance"):
            v.assign(rng.uniform(0.7, 1.3, v.shape).astype(np.float32))
        elif kind in ("beta", "moving_mean", "bias"):
            v.assign(normal(rng, *v.shape, scale=0.1))
    calls = [Call("serve", [normal(rng, n, size, size, 3)]) for n in (1, 2, 3)]
    return Model(
        network,
        calls,
        save=lambda path: network.export(path, verbose=False),
        call=lambda c: network(*c.positional, training=False),
    )


@model
def resnet50(rng: np.random.Generator) -> Model:
    keras.utils.set_random_seed(5)
    make = keras.applications.ResNet50
    return application(rng, make(weights=None, input_shape=(64, 64, 3), classifier_activation=None), 64)


@model
def mobilenet_v2(rng: np.random.Generator) -> Model:
    keras.utils.set_random_seed(6)
    make = keras.applications.MobileNetV2
    return application(rng, make(weights=None, input_shape=(96, 96, 3), classifier_activation=None), 96)


# --------------------------------------------------------------------------------------------------- writing


class _Arrays:
    """The arrays of calls, by number."""

    def __init__(self) -> None:
        self.found: list[Any] = []

    def encode(self, value: Any) -> Any:
        match value:
            case None:
                return None
            case dict():
                return {"dict": {k: self.encode(v) for k, v in value.items()}}
            case tuple() if hasattr(value, "_fields"):
                return {"namedtuple": [self.encode(v) for v in value]}
            case list() | tuple():
                return {type(value).__name__: [self.encode(v) for v in value]}
            case _:
                # A copy: the array of a variable changes with it.
                self.found.append(np.array(value))
                return len(self.found) - 1


def _as_tensors(value: Any) -> Any:
    return tf.nest.map_structure(tf.constant, value)


def write(name: str, folder: Path) -> None:
    made = MODELS[name](np.random.default_rng(list(MODELS).index(name)))
    path = str(folder / "saved_model")
    if made.save is not None:
        made.save(path)
    else:
        tf.saved_model.save(made.module, path, signatures=made.signatures)
    arrays = _Arrays()
    before = {k: arrays.encode(v.numpy()) for k, v in made.variables.items()}
    calls: list[Any] = []
    for c in made.calls:
        arguments = {
            "positional": [arrays.encode(v) for v in c.positional],
            "keyword": {k: arrays.encode(v) for k, v in c.keyword.items()},
        }
        tensors = Call(c.function, _as_tensors(list(c.positional)), _as_tensors(dict(c.keyword)))
        invoke = made.call or (lambda t: getattr(made.module, t.function)(*t.positional, **t.keyword))
        calls.append({"function": c.function, **arguments, "result": arrays.encode(invoke(tensors))})
    variables = {k: [before[k], arrays.encode(v.numpy())] for k, v in made.variables.items()}
    (folder / "calls.json").write_text(json.dumps({"calls": calls, "variables": variables}))
    np.savez(folder / "arrays.npz", **{str(i): a for i, a in enumerate(arrays.found)})


def main(target: str, *names: str) -> None:
    for name in names or MODELS:
        folder = Path(target) / name
        folder.mkdir(parents=True)
        try:
            write(name, folder)
        except Exception:
            (folder / "error.txt").write_text(traceback.format_exc())


if __name__ == "__main__":
    main(*sys.argv[1:])
