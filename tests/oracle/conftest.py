"""Every oracle test runs with JAX's 64-bit types, and leaves JAX as it was for the tests beside it."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True)
def sixty_four_bits() -> Iterator[None]:
    with jax.enable_x64(True):
        yield
