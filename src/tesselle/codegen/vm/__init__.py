"""Emission of host programs: vm IR to bytecode."""
