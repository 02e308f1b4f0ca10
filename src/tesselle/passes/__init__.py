"""Passes: one folder per phase; the name of a file is the name of its pass and of its test."""
