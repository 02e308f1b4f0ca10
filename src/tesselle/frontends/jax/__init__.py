"""Programs of JAX: `jax.stages.Lowered` and `jax.export.Exported`. Imports JAX only where such an object is given."""

from tesselle.frontends.jax.importer import import_jax, is_jax_program

__all__ = ["import_jax", "is_jax_program"]
