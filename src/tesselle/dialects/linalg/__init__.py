"""linalg: structured operations on tensors, in destination-passing style. `ops.py` declares, see there."""
