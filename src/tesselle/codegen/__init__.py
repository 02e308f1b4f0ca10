"""Code generation: kernel IR from linalg (`common`), and machine code for every kind of device."""
