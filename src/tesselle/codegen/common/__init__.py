"""Code generation that every target shares: tile, fuse, bufferize, vectorize. See `lowering.py`."""
