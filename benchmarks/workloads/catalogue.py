"""Every workload, in the order of the table."""

from __future__ import annotations

from .convnets import CONVNETS
from .products import PRODUCTS
from .recurrent import RECURRENT
from .streams import STREAMS
from .transformers import TRANSFORMERS

WORKLOADS = {w.name: w for w in (*PRODUCTS, *CONVNETS, *TRANSFORMERS, *RECURRENT, *STREAMS)}
