"""all-MiniLM-L6-v2, the model of the demo: JAX's own result makes sense, and Tesselle's is the same."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from numpy.typing import NDArray

import tesselle as ts
from model import Model, load_model

PAIRS = [
    "The chef prepared a delicious meal for the guests.",
    "A cook made tasty food for the visitors.",
    "Stock markets fell sharply after the announcement.",
    "Shares dropped once the news came out.",
]
LENGTH = 32


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model()


@pytest.fixture(scope="module")
def expected(model: Model) -> NDArray[np.float32]:
    return np.asarray(jax.jit(model.embed)(*model.tokenize(PAIRS, LENGTH)))


def test_the_jax_function_is_the_model(expected: NDArray[np.float32]) -> None:
    """Sentences of one meaning are close, others are not; embeddings have length one."""
    similarity = expected @ expected.T
    np.testing.assert_allclose(np.diag(similarity), 1, atol=1e-5)
    assert similarity[0, 1] > 0.6
    assert similarity[2, 3] > 0.5
    assert similarity[:2, 2:].max() < 0.2


def test_padding_changes_nothing(model: Model, expected: NDArray[np.float32]) -> None:
    longer = jax.jit(model.embed)(*model.tokenize(PAIRS, 2 * LENGTH))
    np.testing.assert_allclose(longer, expected, atol=1e-5)


def test_compiled_is_jax(model: Model, expected: NDArray[np.float32], tmp_path: Path) -> None:
    ids, mask = model.tokenize(PAIRS, LENGTH)
    lowered = jax.jit(model.embed).lower(ids[:1], mask[:1])
    ts.compile(lowered, targets=["cpu"]).save(tmp_path / "minilm.tsl")
    main = ts.load(tmp_path / "minilm.tsl")["main"]
    found = np.concatenate([main(ids[i : i + 1], mask[i : i + 1]) for i in range(len(PAIRS))])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
