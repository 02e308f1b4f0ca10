"""Shardy: how a program may be spread over devices. Importing this declares all of it."""

from tesselle.dialects.sdy import ops

__all__ = ["ops"]
