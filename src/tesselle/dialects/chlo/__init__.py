"""CHLO: operations that clients of StableHLO emit and that decompose into it. Importing this declares all of them."""

from tesselle.dialects.chlo import broadcast, elementwise, structured

__all__ = ["broadcast", "elementwise", "structured"]
