"""hal: command buffers, fences, executables of targets, checked entry points."""
