"""Programs of JAX: `jax.stages.Lowered`, `jax.export.Exported`, and functions that share state (`StatefulModule`).

Imports JAX only where such an object is given or made.
"""

from tesselle.frontends.jax.importer import import_jax, is_jax_program
from tesselle.frontends.jax.stateful import StatefulModule

__all__ = ["StatefulModule", "import_jax", "is_jax_program"]
