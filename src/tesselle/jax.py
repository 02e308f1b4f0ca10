"""Programs that keep state, from JAX.

import tesselle.jax

module = tesselle.jax.StatefulModule({"w": w, "steps": 0})
module.add("train", train_step, x_spec, y_spec)
artifact = tesselle.compile(module)
"""

from tesselle.frontends.jax import StatefulModule

__all__ = ["StatefulModule"]
