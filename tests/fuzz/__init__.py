"""Differential fuzzing: random well-typed StableHLO programs, compiled and by the reference interpreter."""
