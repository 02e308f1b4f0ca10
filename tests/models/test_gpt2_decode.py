"""Decoding with a cache in a session: every logit is that of the whole text without a cache."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import tesselle as ts
from transformer import PREFIXES, Config, decoder, forward, random_state

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")

CONFIG = Config(layers=2, features=64, heads=4, vocabulary=97, capacity=300)
"""Small, but with every prefix of the cache that attention has code for below 512."""


@pytest.fixture(scope="module")
def state() -> Any:
    return random_state(CONFIG, seed=3)


@pytest.fixture(scope="module")
def program(state: Any) -> ts.Program:
    return ts.load(ts.compile(decoder(CONFIG, state)))


@pytest.fixture(scope="module")
def text() -> Any:
    return np.random.default_rng(4).integers(0, CONFIG.vocabulary, CONFIG.capacity, np.int32)


@pytest.fixture(scope="module")
def expected(state: Any, text: Any) -> Any:
    return np.asarray(jax.jit(lambda p, t: forward(CONFIG, p, t))(state["params"], text))


def assert_close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_step_by_step(program: ts.Program, text: Any, expected: Any) -> None:
    """Through every length, the last of which fills the cache."""
    assert any(n < CONFIG.capacity for n in PREFIXES)
    session = program.new_session()
    for i in range(CONFIG.capacity):
        assert_close(session["step"](text[i : i + 1]), expected[i])


@pytest.mark.parametrize("length", [1, 2, 127, 128, 129, 257, 300])
def test_prefill_and_go_on(program: ts.Program, text: Any, expected: Any, length: int) -> None:
    session = program.new_session()
    assert_close(session["prefill"](text[:length]), expected[length - 1])
    for i in range(length, min(length + 3, CONFIG.capacity)):
        assert_close(session["step"](text[i : i + 1]), expected[i])


def test_a_text_in_pieces(program: ts.Program, text: Any, expected: Any) -> None:
    session = program.new_session()
    for begin, end in ((0, 5), (5, 100), (100, 101), (101, 200), (200, 300)):
        assert_close(session["prefill"](text[begin:end]), expected[end - 1])
    assert session.state_dict()["position"] == 300


def test_a_text_too_long_is_refused(program: ts.Program) -> None:
    with pytest.raises(ts.InvocationError, match="must be at most 300"):
        program.new_session()["prefill"](np.zeros(301, np.int32))


def test_reset_begins_anew(program: ts.Program, text: Any, expected: Any) -> None:
    """By the program's own function, which only turns back the position, and by the session's, which clears all."""
    session = program.new_session()
    for reset in (session["reset"], session.reset):
        session["prefill"](text[100:200])
        reset()
        assert session.state_dict()["position"] == 0
        assert_close(session["prefill"](text[:50]), expected[49])
        reset()


def test_sessions_do_not_see_each_other(program: ts.Program, text: Any, expected: Any) -> None:
    one, two = program.new_session(), program.new_session()
    one["prefill"](text[:10])
    two["prefill"](text[50:90])
    assert_close(one["step"](text[10:11]), expected[10])


def test_a_session_saved_in_the_middle_goes_on(program: ts.Program, text: Any, expected: Any, tmp_path: Any) -> None:
    session = program.new_session()
    session["prefill"](text[:40])
    session.save(tmp_path / "session.safetensors")
    other = program.new_session()
    other.load(tmp_path / "session.safetensors")
    assert_close(other["step"](text[40:41]), expected[40])


def test_weights_belong_to_the_program(program: ts.Program, state: Any) -> None:
    """What no function changes is a constant that all sessions share; a session holds the cache and the position."""
    names = {f"cache.{i}.{part}" for i in range(CONFIG.layers) for part in ("keys", "values")} | {"position"}
    assert set(program.session.state_dict()) == names
    stored = sum(int(np.prod(c.shape)) * c.dtype.numpy.itemsize for c in program.manifest.constants)
    weights = sum(leaf.nbytes for leaf in jax.tree_util.tree_leaves(state["params"]))
    assert weights <= stored < 1.2 * weights
