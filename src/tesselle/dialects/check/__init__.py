"""Expectations that programs state about their own values. Importing this declares all of them."""

from tesselle.dialects.check import ops

__all__ = ["ops"]
