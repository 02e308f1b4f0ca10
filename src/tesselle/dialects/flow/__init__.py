"""flow: the program as dispatches of tensor computations, and what surrounds them. `ops.py` declares, see there."""
