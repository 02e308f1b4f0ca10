"""Options of the suite."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A loaded machine is no finding: how long an example takes is not what these tests are about.
settings.register_profile("tesselle", deadline=None)
settings.load_profile("tesselle")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak-seconds", type=float, default=3.0, help="how long each soak test runs (default: 3; a real soak: 60)"
    )
    parser.addoption("--mutations", type=int, default=1000, help="damaged programs of each kind (default: 1000)")
    parser.addoption("--mutation-seed", type=int, default=0, help="what the damages are made from (default: 0)")
    parser.addoption("--harness-cases", type=int, default=150, help="programs of JAX's harness that are read (150)")
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew")


@pytest.fixture
def soak_seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-seconds"))
