"""Decoding with a transformer of the shape of GPT-2 small, beside PyTorch where that is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tesselle as ts
from torch_decoder import torch_decoder
from transformer import Config, decoder, random_state

CONFIG = Config()


@pytest.fixture(scope="module")
def state() -> Any:
    return random_state(CONFIG)


@pytest.fixture(scope="module")
def program(state: Any) -> ts.Program:
    return ts.load(ts.compile(decoder(CONFIG, state)), device="cpu:threads=1")


@pytest.fixture(scope="module")
def peer(state: Any) -> Any:
    try:
        return torch_decoder(CONFIG, state["params"], threads=1)
    except ImportError:
        return None


@pytest.mark.parametrize("position", [16, 120, 500, 1000])
def bench_step(beside_peers: Any, program: ts.Program, peer: Any, position: int) -> None:
    """One token behind `position` others."""
    text = np.random.default_rng(0).integers(0, CONFIG.vocabulary, position, np.int32)
    token = np.array([7], np.int32)
    session = program.new_session()
    session["prefill"](text)
    state = session.state_dict()
    position_only = {"position": state["position"]}

    def step() -> Any:
        # The same place of the cache again and again.
        logits = session["step"](token)
        session.load_state_dict(position_only, strict=False)
        return logits

    peers = {}
    if peer is not None:
        peer(text, 0)
        peers["torch"] = lambda: peer(token, position)
        np.testing.assert_allclose(step(), peers["torch"](), atol=1e-3)
    beside_peers(step, peers)


@pytest.mark.parametrize("length", [16, 128, 1024])
def bench_prefill(beside_peers: Any, program: ts.Program, peer: Any, length: int) -> None:
    """A prompt at once."""
    text = np.random.default_rng(0).integers(0, CONFIG.vocabulary, length, np.int32)
    session = program.new_session()

    def prefill() -> Any:
        session["reset"]()
        return session["prefill"](text)

    peers = {}
    if peer is not None:
        peers["torch"] = lambda: peer(text, 0)
        np.testing.assert_allclose(prefill(), peers["torch"](), atol=1e-3)
    beside_peers(prefill, peers)
