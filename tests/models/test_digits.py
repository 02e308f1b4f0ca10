"""The training step of the digits: the first steps are JAX's, a few epochs recognise most digits."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

import tesselle as ts
from perceptron import classifier, initial_state, predict, train_step
from train import accuracy, batches, load_data, plot_losses, sparkline, train

pytest.importorskip("tesselle.runtime", reason="the native runtime is not built")


@pytest.fixture(scope="module")
def program() -> ts.Program:
    return ts.load(ts.compile(classifier(initial_state())))


def test_the_first_steps_are_those_of_jax(program: ts.Program) -> None:
    """Loss, weights and moments after each of five steps."""
    module, digits, state = classifier(initial_state()), load_data(), initial_state()
    session = program.new_session()
    step = jax.jit(train_step)
    for images, labels in islice(batches(digits, 0), 5):
        loss = session["train"](images, labels)
        state, expected = step(state, images, labels)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)
        found = session.state_dict()
        for name, value in module.to_dict(state).items():
            # Adam divides by the root of the squares: where a gradient is almost zero, its rounding shows.
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=2e-5, err_msg=name)
    assert found["steps"] == 5


def test_predictions_are_those_of_jax(program: ts.Program) -> None:
    digits, state = load_data(), initial_state()
    for count in (1, 7, len(digits.test_images)):
        images = digits.test_images[:count]
        expected = np.asarray(jax.jit(predict)(state, images))
        assert np.mean(program["predict"](images) == expected) == 1


def test_a_few_epochs(program: ts.Program, tmp_path: Path) -> None:
    digits = load_data()
    session = program.new_session()
    before = accuracy(session, digits)
    losses = train(session, digits, 5, Console(quiet=True))
    assert before < 0.5
    assert accuracy(session, digits) > 0.9
    assert losses[-1] < losses[0] / 3

    session.save(tmp_path / "session.safetensors")
    reloaded = program.new_session()
    reloaded.load(tmp_path / "session.safetensors")
    np.testing.assert_array_equal(reloaded["predict"](digits.test_images), session["predict"](digits.test_images))
    assert accuracy(program.new_session(), digits) == before, "sessions share no variables"


def test_trained_weights_go_back_to_jax(program: ts.Program) -> None:
    module, digits = classifier(initial_state()), load_data()
    session = program.new_session()
    train(session, digits, 1, Console(quiet=True))
    state: Any = module.to_state(session.state_dict())
    expected = np.asarray(jax.jit(predict)(state, digits.test_images))
    assert np.mean(session["predict"](digits.test_images) == expected) > 0.99


def test_pictures_of_the_loss(tmp_path: Path) -> None:
    losses = [10.0, 5.0, 2.0, 1.0, 1.0, 0.5, 0.2, 0.1, 0.1, 0.1, 0.01]
    assert sparkline(losses, 3) == "█▄▁"
    path = plot_losses(losses, tmp_path / "loss.png")
    assert path is not None
    assert path.read_bytes().startswith(b"\x89PNG")
