"""What a workload is, and what several of them are made of."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Weights = Mapping[str, Array]
Parameters = Mapping[str, Any]
"""Weights as a library holds them: traced, or tensors."""


class Bound(Enum):
    """What the time of a workload is held to."""

    COMPUTE = "FMA"
    MEMORY = "read"


@dataclass(frozen=True)
class Workload:
    """One program, said twice: as a function of JAX and as a module of PyTorch, over the same weights and inputs.

    Images are NHWC in the function and in `inputs`, NCHW in the module. `flops` and `bytes` are those of one call: two
    for a multiply-add; every weight, input and result once. Tolerance: |result - JAX's| relative to the largest
    magnitude of JAX's result.
    """

    name: str
    description: str
    function: Callable[..., Any]
    """function(weights, *inputs) -> an array or a tuple of arrays."""
    torch_module: Callable[[Weights], Any]
    inputs: Callable[[], tuple[Array, ...]]
    weights: Callable[[], dict[str, Array]] = dict[str, Array]
    flops: float = 0
    bytes: float = 0
    bound: Bound | None = None
    image_inputs: tuple[int, ...] = ()
    image_results: tuple[int, ...] = ()
    channels_last: bool = True
    """PyTorch gets the images, and the weights of convolutions, with their channels last in memory."""
    tolerance: float = 1e-4

    def torch_inputs(self, inputs: Sequence[Array]) -> list[Any]:
        """Tensors for `torch_module`; of images NCHW views of what is NHWC in memory."""
        torch: Any = importlib.import_module("torch")
        tensors = [torch.from_numpy(x) for x in inputs]
        return [t.permute(0, 3, 1, 2) if i in self.image_inputs else t for i, t in enumerate(tensors)]

    def nchw_inputs(self, inputs: Sequence[Array]) -> list[Array]:
        """The inputs of the exported module: images copied into NCHW."""
        return [
            np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if i in self.image_inputs else x for i, x in enumerate(inputs)
        ]

    def nhwc_results(self, results: Sequence[Array]) -> list[Array]:
        """Results of the module as the function returns them."""
        return [r.transpose(0, 2, 3, 1) if i in self.image_results else r for i, r in enumerate(results)]


def normal(seed: int, *shape: int, scale: float = 1.0) -> Array:
    """f32 of a normal distribution."""
    return draw_normal(np.random.default_rng(seed), *shape, scale=scale)


def draw_normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Array:
    """The next f32 of a normal distribution."""
    return rng.standard_normal(shape, np.float32) * np.float32(scale)


def draw_uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> Array:
    """The next f32 between `low` and `high`."""
    return rng.uniform(low, high, shape).astype(np.float32)


def functional() -> Any:
    """`torch.nn.functional`."""
    return importlib.import_module("torch.nn.functional")


def torch_twin(
    forward: Callable[..., Any], rename_axes: Callable[[str, Array], Array] = lambda name, value: value
) -> Callable[[Weights], Any]:
    """A builder of a module that computes forward(parameters, *inputs).

    Its parameters are the weights, as `rename_axes(name, value)` lays them out: convolutions OIHW, linear layers
    [output, input].
    """

    def build(weights: Weights) -> Any:
        torch: Any = importlib.import_module("torch")

        class Twin(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                for name, value in weights.items():
                    value = np.ascontiguousarray(rename_axes(name, value))
                    parameter = torch.nn.Parameter(torch.from_numpy(value), requires_grad=False)
                    self.register_parameter(name, parameter)

            def forward(self, *inputs: Any) -> Any:
                return forward({name: getattr(self, name) for name in weights}, *inputs)

        return Twin().eval()

    return build


def oihw(name: str, value: Array) -> Array:
    """Convolution weights HWIO -> OIHW; all else stays."""
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
