"""Recurrent networks: layers of LSTM, and a chunk of a streaming speech recognizer."""

from __future__ import annotations

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .base import Array, Bound, Parameters, Weights, Workload, draw_normal, draw_uniform, functional, normal, oihw


def _draw_lstm(rng: np.random.Generator, weights: dict[str, Array], name: str, inputs: int, features: int) -> None:
    """Gates in the order input, forget, cell, output."""
    bound = features**-0.5
    weights[f"{name}_input"] = draw_uniform(rng, -bound, bound, inputs, 4 * features)
    weights[f"{name}_state"] = draw_uniform(rng, -bound, bound, features, 4 * features)
    weights[f"{name}_bias"] = draw_uniform(rng, -bound, bound, 4 * features)


def _jax_lstm(w: Parameters, name: str, xs: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
    """One layer over xs [time, batch, features]; the product with the inputs stands before the loop."""

    def step(carry: tuple[Any, Any], from_input: Any) -> tuple[tuple[Any, Any], Any]:
        h, c = carry
        i, f, g, o = jnp.split(from_input + h @ w[f"{name}_state"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    (h, c), ys = lax.scan(step, (h, c), xs @ w[f"{name}_input"] + w[f"{name}_bias"])
    return ys, h, c


def _torch_lstm(w: Weights, names: list[str]) -> Any:
    """`torch.nn.LSTM` with a layer for every name."""
    torch: Any = importlib.import_module("torch")
    inputs, features = w[f"{names[0]}_input"].shape[0], w[f"{names[0]}_state"].shape[0]
    module = torch.nn.LSTM(inputs, features, len(names))
    for i, name in enumerate(names):
        values = {
            f"weight_ih_l{i}": w[f"{name}_input"].T,
            f"weight_hh_l{i}": w[f"{name}_state"].T,
            f"bias_ih_l{i}": w[f"{name}_bias"],
            f"bias_hh_l{i}": np.zeros(4 * features, np.float32),
        }
        for parameter, value in values.items():
            getattr(module, parameter).data = torch.from_numpy(np.ascontiguousarray(value))
    return module


LAYERS = ["layer0", "layer1"]


def _lstm(name: str, batch: int, steps: int = 100, features: int = 512) -> Workload:
    def weights() -> dict[str, Array]:
        rng = np.random.default_rng(9)
        weights: dict[str, Array] = {}
        for layer in LAYERS:
            _draw_lstm(rng, weights, layer, features, features)
        return weights

    def function(w: Parameters, x: Any) -> Any:
        zero = jnp.zeros((batch, features), jnp.float32)
        hs: list[Any] = []
        cs: list[Any] = []
        for layer in LAYERS:
            x, h, c = _jax_lstm(w, layer, x, zero, zero)
            hs.append(h)
            cs.append(c)
        return x, jnp.stack(hs), jnp.stack(cs)

    def torch_module(w: Weights) -> Any:
        torch: Any = importlib.import_module("torch")

        class Layers(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = _torch_lstm(w, LAYERS)
                self.register_buffer("zero", torch.zeros(len(LAYERS), batch, features))

            def forward(self, x: Any) -> Any:
                y, (h, c) = self.lstm(x, (self.zero, self.zero))
                return y, h, c

        return Layers().eval()

    return Workload(
        name,
        f"two layers of LSTM, {features} features, {steps} steps, batch {batch}",
        function,
        torch_module,
        lambda: (normal(1, steps, batch, features),),
        weights,
        flops=2 * len(LAYERS) * steps * batch * 2 * features * 4 * features,
        # The weights of the states are read anew in every step.
        bytes=len(LAYERS) * steps * 4 * features * 4 * features,
        bound=Bound.MEMORY if batch == 1 else Bound.COMPUTE,
    )


FRAMES, BANDS, MAPS, FEATURES, TOKENS = 10, 80, 32, 320, 512
SPEECH_LAYERS = [f"layer{i}" for i in range(4)]
FLATTENED = MAPS * BANDS // 4


def _speech_weights() -> dict[str, Array]:
    rng = np.random.default_rng(10)
    weights = {
        "first_kernel": draw_normal(rng, 3, 3, 1, MAPS, scale=1 / 3),
        "first_bias": draw_normal(rng, MAPS, scale=0.1),
        "second_kernel": draw_normal(rng, 3, 3, MAPS, MAPS, scale=(9 * MAPS) ** -0.5),
        "second_bias": draw_normal(rng, MAPS, scale=0.1),
    }
    for i, layer in enumerate(SPEECH_LAYERS):
        _draw_lstm(rng, weights, layer, FLATTENED if i == 0 else FEATURES, FEATURES)
    weights["head_kernel"] = draw_normal(rng, FEATURES, TOKENS, scale=FEATURES**-0.5)
    weights["head_bias"] = draw_normal(rng, TOKENS, scale=0.1)
    return weights


def _speech_inputs() -> tuple[Array, ...]:
    """A chunk of frames, the last frames before both convolutions, and the states of the layers."""
    rng = np.random.default_rng(1)
    state = (len(SPEECH_LAYERS), 1, FEATURES)
    return (
        draw_normal(rng, 1, FRAMES, BANDS, 1),
        draw_normal(rng, 1, 1, BANDS, 1),
        draw_normal(rng, 1, 2, BANDS // 2, MAPS),
        draw_normal(rng, *state, scale=0.1),
        draw_normal(rng, *state, scale=0.1),
    )


def _speech(w: Parameters, x: Any, before_first: Any, before_second: Any, h: Any, c: Any) -> Any:
    def convolve(x: Any, name: str, stride: int) -> Any:
        y = lax.conv_general_dilated(
            x, w[f"{name}_kernel"], (stride, 2), [(0, 0), (1, 1)], dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return jax.nn.relu(y + w[f"{name}_bias"])

    x = jnp.concatenate([before_first, x], 1)
    y = jnp.concatenate([before_second, convolve(x, "first", 2)], 1)
    kept = x[:, -1:], y[:, -2:]
    y = convolve(y, "second", 1).transpose(1, 0, 3, 2).reshape(FRAMES // 2, 1, FLATTENED)
    hs: list[Any] = []
    cs: list[Any] = []
    for i, layer in enumerate(SPEECH_LAYERS):
        y, last_h, last_c = _jax_lstm(w, layer, y, h[i], c[i])
        hs.append(last_h)
        cs.append(last_c)
    return y @ w["head_kernel"] + w["head_bias"], *kept, jnp.stack(hs), jnp.stack(cs)


def _torch_speech(w: Weights) -> Any:
    torch: Any = importlib.import_module("torch")

    class Speech(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name in ("first_kernel", "first_bias", "second_kernel", "second_bias", "head_kernel", "head_bias"):
                value = np.ascontiguousarray(oihw(name, w[name]))
                self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(value), requires_grad=False))
            self.lowest = _torch_lstm(w, SPEECH_LAYERS[:1])
            self.others = _torch_lstm(w, SPEECH_LAYERS[1:])

        def forward(self, x: Any, before_first: Any, before_second: Any, h: Any, c: Any) -> Any:
            f = functional()
            x = torch.cat([before_first, x], 2)
            y = f.relu(f.conv2d(x, self.first_kernel, self.first_bias, (2, 2), (0, 1)))
            y = torch.cat([before_second, y], 2)
            kept = x[:, :, -1:], y[:, :, -2:]
            y = f.relu(f.conv2d(y, self.second_kernel, self.second_bias, (1, 2), (0, 1)))
            y = y.permute(2, 0, 1, 3).reshape(FRAMES // 2, 1, FLATTENED)
            y, (h0, c0) = self.lowest(y, (h[:1], c[:1]))
            y, (h1, c1) = self.others(y, (h[1:], c[1:]))
            return y @ self.head_kernel + self.head_bias, *kept, torch.cat([h0, h1]), torch.cat([c0, c1])

    return Speech().eval()


SPEECH = Workload(
    "speech_stream",
    f"{FRAMES} frames of a streaming recognizer: two convolutions, four layers of LSTM with {FEATURES} features",
    _speech,
    _torch_speech,
    _speech_inputs,
    _speech_weights,
    bytes=4 * (8 * FEATURES * 4 * FEATURES + FEATURES * 4 * FEATURES + FEATURES * TOKENS),
    image_inputs=(0, 1, 2),
    image_results=(1, 2),
    channels_last=False,
)

RECURRENT = (_lstm("lstm_b1", 1), _lstm("lstm_b16", 16), SPEECH)
