"""The version of Tesselle: the one place that states it; the package metadata is read from here."""

from __future__ import annotations

__version__ = "0.1.0"
