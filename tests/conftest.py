"""Options of the suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak-seconds", type=float, default=3.0, help="how long each soak test runs (default: 3; a real soak: 60)"
    )
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def soak_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-seconds"))
