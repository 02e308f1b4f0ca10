"""How a dispatch is compiled: an ordered list of strategies, of which the first that matches makes a plan.

A dispatch function reaches a strategy *bound*: its arguments are memrefs (the bindings, in order), then push constants,
then three workgroup ids of type index; `bufferization.to_tensor` reads a binding, `materialize_in_destination`
writes one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tesselle.codegen.common import index_math as ix
from tesselle.dialects.core.func import FuncOp
from tesselle.ir.builder import Builder
from tesselle.ir.core import Value
from tesselle.ir.types import MemRefType
from tesselle.support.dtypes import INDEX, DType


@dataclass(frozen=True)
class TargetShape:
    """What code generation needs to know of a processor: registers and caches.

    `vector_bits`: width of a vector register; `register_count`: how many; `l1_bytes`, `l2_bytes`: data caches of one
    core.
    """

    vector_bits: int = 256
    register_count: int = 16
    has_fma: bool = True
    l1_bytes: int = 32 * 1024
    l2_bytes: int = 512 * 1024

    def lanes(self, dtype: DType) -> int:
        """Elements of `dtype` in one vector register (at least one; parts of complex numbers count alone)."""
        return max(1, self.vector_bits // (8 * dtype.element.size_bytes))

    def has_masks(self, dtype: DType) -> bool:
        """Whether masked loads and stores of `dtype` are single instructions."""
        if dtype.is_complex:
            return False
        return self.vector_bits >= 512 or (self.vector_bits == 256 and dtype.size_bytes >= 4)


@dataclass(frozen=True)
class KernelFunction:
    """A bound dispatch function and the meaning of its arguments.

    `push_multiples`: what divides each push constant (empty: nothing is known). `products`: what stands for those that
    something divides, by position, see `size`.
    """

    function: FuncOp
    binding_count: int
    dim_bindings: tuple[tuple[int | None, ...], ...]
    push_multiples: tuple[int, ...] = ()
    products: dict[int, Value] = field(default_factory=dict[int, Value])

    @property
    def bindings(self) -> Sequence[Value]:
        return self.function.args[: self.binding_count]

    @property
    def push_constants(self) -> Sequence[Value]:
        return self.function.args[self.binding_count : -3]

    @property
    def index_push_constants(self) -> Sequence[Value]:
        """Those of type index: what the grid is computed from."""
        return [v for v in self.push_constants if v.type == INDEX]

    @property
    def workgroup_ids(self) -> tuple[Value, Value, Value]:
        x, y, z = self.function.args[-3:]
        return x, y, z

    def binding_dim(self, buffer: Value, axis: int) -> int | Value:
        """The size of a dimension of a binding: a number, or the push constant that holds it."""
        position = list(self.bindings).index(buffer)
        t = buffer.type
        assert isinstance(t, MemRefType)
        size = t.shape[axis]
        if size is not None:
            return size
        slot = self.dim_bindings[position][axis]
        if slot is None:
            raise ValueError(f"dimension {axis} of binding {position} is dynamic, but no push constant holds it")
        return self.size(slot)

    def size(self, slot: int) -> Value:
        """A push constant as sizes are read: itself, or the product (itself / n) * n that shows what divides it."""
        value = self.push_constants[slot]
        n = self.push_multiples[slot] if slot < len(self.push_multiples) else 1
        if n <= 1:
            return value
        found = self.products.get(slot)
        # Clean-ups erase it where nothing has used it yet.
        if found is None or found.defining_op is None or found.defining_op.parent is None:
            entry = self.function.entry
            b = Builder(entry, entry.first, self.function.location)
            found = ix.as_value(b, ix.mul(b, ix.floordiv(b, value, n), n))
            self.products[slot] = found
        return found


Phase = tuple[str, Callable[[], None]]
"""A named step of a plan, such as ("tile", …); it rewrites the function in place."""


class Plan(Protocol):
    """What a strategy will do with a function."""

    def workgroup_count(self, b: Builder, push_constants: Sequence[Value]) -> tuple[Value, Value, Value]:
        """Build the grid (x, y, z) from the push constants of type index; called after all phases have run."""
        ...

    def phases(self) -> Sequence[Phase]:
        """tile, fuse, bufferize, vectorize, in the plan's order."""
        ...

    def explain(self) -> str:
        """Which kernel it makes and why, in words; called after all phases have run."""
        ...


class Strategy(Protocol):
    """A way to compile a kind of dispatch."""

    @property
    def name(self) -> str: ...

    def match(self, kernel: KernelFunction, target: TargetShape) -> Plan | None:
        """A plan when the function has the form that this strategy compiles; must not change it otherwise."""
        ...
