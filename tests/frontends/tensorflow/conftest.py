"""SavedModels, made once for all tests of a session."""

from __future__ import annotations

import pytest
from saved_models import SavedModels


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> SavedModels:
    return SavedModels(tmp_path_factory.mktemp("saved_models"))
