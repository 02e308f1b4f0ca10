"""VHLO: the versioned form of StableHLO in which portable artifacts are stored.

Nothing of it is ever built: its types and attributes are read as those of StableHLO, and its operations, of every
version from 0.9 on, are turned into StableHLO's as they are read (`upgrade`). Source: StableHLO, docs/vhlo.md.
"""
