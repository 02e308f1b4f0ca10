"""Convolutional networks with random weights, one image of 224 × 224."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .base import Array, Bound, Parameters, Workload, draw_normal, draw_uniform, functional, normal, oihw, torch_twin
from .streams import EPSILON, jax_pool

CLASSES = 1000


@dataclass(frozen=True)
class Convolution:
    """A convolution without bias, normalized by stored statistics, and what follows it."""

    name: str
    kernel: int
    inputs: int
    outputs: int
    stride: int = 1
    groups: int = 1
    activation: str | None = None

    def draw(self, rng: np.random.Generator, weights: dict[str, Array]) -> None:
        fan_in = self.kernel**2 * self.inputs // self.groups
        shape = (self.kernel, self.kernel, self.inputs // self.groups, self.outputs)
        weights[f"{self.name}_kernel"] = draw_normal(rng, *shape, scale=fan_in**-0.5)
        weights[f"{self.name}_scale"] = draw_uniform(rng, 0.8, 1.2, self.outputs)
        weights[f"{self.name}_bias"] = draw_normal(rng, self.outputs, scale=0.1)
        weights[f"{self.name}_mean"] = draw_normal(rng, self.outputs, scale=0.1)
        weights[f"{self.name}_variance"] = draw_uniform(rng, 0.5, 1.5, self.outputs)

    def of_jax(self, w: Parameters, x: Any) -> Any:
        border = (self.kernel - 1) // 2
        y = lax.conv_general_dilated(
            x,
            w[f"{self.name}_kernel"],
            (self.stride, self.stride),
            [(border, border)] * 2,
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=self.groups,
        )
        scale = lax.rsqrt(w[f"{self.name}_variance"] + EPSILON) * w[f"{self.name}_scale"]
        y = (y - w[f"{self.name}_mean"]) * scale + w[f"{self.name}_bias"]
        match self.activation:
            case "relu":
                return jax.nn.relu(y)
            case "relu6":
                return jnp.clip(y, 0, 6)
            case _:
                return y

    def of_torch(self, w: Parameters, x: Any) -> Any:
        f = functional()
        y = f.conv2d(x, w[f"{self.name}_kernel"], None, self.stride, (self.kernel - 1) // 2, 1, self.groups)
        statistics = w[f"{self.name}_mean"], w[f"{self.name}_variance"]
        y = f.batch_norm(y, *statistics, w[f"{self.name}_scale"], w[f"{self.name}_bias"], False, 0.0, EPSILON)
        return getattr(f, self.activation)(y) if self.activation else y


@dataclass(frozen=True)
class Block:
    """Convolutions in a row; their result is added to the input, or to its projection."""

    path: tuple[Convolution, ...]
    residual: bool
    projection: Convolution | None = None

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        return self.path if self.projection is None else (*self.path, self.projection)


@dataclass(frozen=True)
class Network:
    """`stem`, perhaps a pooling of maxima, `blocks`, perhaps `last`, the mean over the image, a linear layer."""

    stem: Convolution
    pool: bool
    blocks: tuple[Block, ...]
    relu_after_blocks: bool
    last: Convolution | None
    features: int

    def weights(self, seed: int) -> dict[str, Array]:
        rng = np.random.default_rng(seed)
        weights: dict[str, Array] = {}
        ends = () if self.last is None else (self.last,)
        for convolution in (self.stem, *(c for b in self.blocks for c in b.convolutions), *ends):
            convolution.draw(rng, weights)
        weights["head_kernel"] = draw_normal(rng, self.features, CLASSES, scale=self.features**-0.5)
        weights["head_bias"] = draw_normal(rng, CLASSES, scale=0.1)
        return weights

    def apply(
        self,
        w: Parameters,
        x: Any,
        convolve: Callable[[Convolution, Parameters, Any], Any],
        pool: Callable[[Any], Any],
        relu: Callable[[Any], Any],
        image_axes: tuple[int, int],
    ) -> Any:
        """The network, by the operations of a library."""
        x = convolve(self.stem, w, x)
        if self.pool:
            x = pool(x)
        for block in self.blocks:
            y = x
            for convolution in block.path:
                y = convolve(convolution, w, y)
            if block.projection is not None:
                x = convolve(block.projection, w, x)
            x = x + y if block.residual else y
            if self.relu_after_blocks:
                x = relu(x)
        if self.last is not None:
            x = convolve(self.last, w, x)
        return x.mean(image_axes) @ w["head_kernel"] + w["head_bias"]

    def of_jax(self, w: Parameters, x: Any) -> Any:
        return self.apply(w, x, Convolution.of_jax, lambda x: jax_pool(x, -jnp.inf, lax.max), jax.nn.relu, (1, 2))

    def of_torch(self, w: Parameters, x: Any) -> Any:
        f = functional()
        return self.apply(w, x, Convolution.of_torch, lambda x: f.max_pool2d(x, 3, 2, 1), f.relu, (2, 3))


def resnet50() -> Network:
    """He et al., Deep Residual Learning, 2015, table 1; strides in the 3×3 convolutions."""
    inputs = 64
    blocks: list[Block] = []
    for stage, (width, count, first_stride) in enumerate(((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2))):
        for i in range(count):
            name, stride = f"stage{stage}_{i}", first_stride if i == 0 else 1
            path = (
                Convolution(f"{name}_reduce", 1, inputs, width, activation="relu"),
                Convolution(f"{name}_middle", 3, width, width, stride, activation="relu"),
                Convolution(f"{name}_expand", 1, width, 4 * width),
            )
            projection = Convolution(f"{name}_project", 1, inputs, 4 * width, stride) if i == 0 else None
            blocks.append(Block(path, residual=True, projection=projection))
            inputs = 4 * width
    return Network(Convolution("stem", 7, 3, 64, 2, activation="relu"), True, tuple(blocks), True, None, inputs)


def mobilenetv2() -> Network:
    """Sandler et al., MobileNetV2, 2018, table 2."""
    inputs = 32
    blocks: list[Block] = []
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for stage, (expansion, outputs, count, first_stride) in enumerate(stages):
        for i in range(count):
            name, stride, hidden = f"stage{stage}_{i}", first_stride if i == 0 else 1, expansion * inputs
            path = [
                Convolution(f"{name}_depthwise", 3, hidden, hidden, stride, hidden, "relu6"),
                Convolution(f"{name}_project", 1, hidden, outputs),
            ]
            if expansion != 1:
                path.insert(0, Convolution(f"{name}_expand", 1, inputs, hidden, activation="relu6"))
            blocks.append(Block(tuple(path), residual=stride == 1 and inputs == outputs))
            inputs = outputs
    stem = Convolution("stem", 3, 3, 32, 2, activation="relu6")
    last = Convolution("last", 1, inputs, 1280, activation="relu6")
    return Network(stem, False, tuple(blocks), False, last, 1280)


def _workload(name: str, description: str, network: Network, seed: int, flops: float) -> Workload:
    return Workload(
        name,
        f"{description}, one image of 224 × 224",
        network.of_jax,
        torch_twin(network.of_torch, oihw),
        lambda: (normal(1, 1, 224, 224, 3),),
        lambda: network.weights(seed),
        flops=flops,
        bound=Bound.COMPUTE,
        image_inputs=(0,),
    )


CONVNETS = (
    _workload("resnet50", "ResNet-50", resnet50(), 5, 8.18e9),
    _workload("mobilenetv2", "MobileNetV2", mobilenetv2(), 6, 0.60e9),
)
