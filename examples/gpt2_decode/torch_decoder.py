"""The same transformer in PyTorch, with a cache of its own: what decoding is timed beside."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from transformer import EPSILON, Config, State

Tokens = np.ndarray[Any, np.dtype[np.int32]]
Logits = np.ndarray[Any, np.dtype[np.float32]]


def torch_decoder(config: Config, params: State, threads: int) -> Callable[[Tokens, int], Logits]:
    """extend(tokens, position) -> logits of what follows the last of the tokens. Errors: ImportError (no PyTorch).

    Weights are [output, input], as PyTorch's linear layers keep them; attention reads the tokens so far and no more.
    """
    torch: Any = importlib.import_module("torch")
    functional: Any = importlib.import_module("torch.nn.functional")
    torch.set_num_threads(threads)

    def tensors(layer: State) -> tuple[Any, Any]:
        first = layer["scale"] if "scale" in layer else layer["kernel"].T
        return torch.from_numpy(np.ascontiguousarray(first)), torch.from_numpy(layer["bias"])

    words, places = torch.from_numpy(params["tokens"]), torch.from_numpy(params["positions"])
    layers = [{name: tensors(part) for name, part in layer.items()} for layer in params["layers"]]
    last_norm = tensors(params["norm"])
    shape = (1, config.heads, config.capacity, config.width)
    cache = [(torch.zeros(shape), torch.zeros(shape)) for _ in layers]

    def norm(x: Any, layer: tuple[Any, Any]) -> Any:
        return functional.layer_norm(x, (config.features,), *layer, eps=EPSILON)

    @torch.inference_mode()
    def extend(tokens: Tokens, position: int) -> Logits:
        count, end = len(tokens), position + len(tokens)
        if position and count > 1:
            raise NotImplementedError("several tokens are taken at position 0 only")
        x = (words[torch.from_numpy(tokens)] + places[position:end])[None]
        for layer, (keys, values) in zip(layers, cache, strict=True):
            heads = functional.linear(norm(x, layer["norm_1"]), *layer["query_key_value"])
            query, key, value = heads.view(1, count, 3, config.heads, config.width).permute(2, 0, 3, 1, 4)
            keys[:, :, position:end], values[:, :, position:end] = key, value
            mixed = functional.scaled_dot_product_attention(
                query, keys[:, :, :end], values[:, :, :end], is_causal=count > 1
            )
            x = x + functional.linear(mixed.transpose(1, 2).reshape(1, count, -1), *layer["project"])
            hidden = functional.gelu(functional.linear(norm(x, layer["norm_2"]), *layer["expand"]), approximate="tanh")
            x = x + functional.linear(hidden, *layer["contract"])
        return functional.linear(norm(x[0, -1], last_norm), words).numpy()

    return extend
