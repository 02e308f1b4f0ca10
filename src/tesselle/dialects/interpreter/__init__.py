"""What StableHLO's reference interpreter adds to programs. Importing this declares all of it."""

from tesselle.dialects.interpreter import ops

__all__ = ["ops"]
