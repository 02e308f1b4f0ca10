"""What is generated from the code and committed is what the code would generate now."""

from __future__ import annotations

import generate_pipeline


def test_the_picture_of_the_pipeline() -> None:
    """When this fails: `.venv/bin/python docs/generate_pipeline.py`."""
    assert generate_pipeline.PICTURE.read_text() == generate_pipeline.picture()
