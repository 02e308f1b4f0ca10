"""Every oracle test runs with JAX's 64-bit types, and leaves JAX as it was for the tests beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest


@pytest.fixture(autouse=True)
def sixty_four_bits() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where compiled objects are kept for the session."""
    return tmp_path_factory.mktemp("objects")
