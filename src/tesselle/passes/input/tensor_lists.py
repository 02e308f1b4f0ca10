"""What is known of lists of tensors: which values are the same list at different times, and what its elements are.

A web holds all values that are one list as operations change it and loops and branches hand it on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.tf import lists as tf
from tesselle.dialects.tf.binary import AddNOp
from tesselle.dialects.tf.shape import IdentityOp, ZerosLikeOp
from tesselle.dialects.tf_type.types import VariantType
from tesselle.ir.core import Op, OpResult, Value
from tesselle.ir.types import Dim, TensorType
from tesselle.passes.input.known_sizes import Extent, KnownSizes, available, dominates
from tesselle.support.dtypes import DType

GROWING = (
    tf.EmptyTensorListOp,
    tf.TensorListPushBackOp,
    tf.TensorListPopBackOp,
    tf.TensorListResizeOp,
    tf.TensorListConcatListsOp,
)
"""Operations on lists whose length changes."""


def is_growing(op: Op) -> bool:
    return isinstance(op, GROWING) or (isinstance(op, tf.TensorListSetItemOp) and op.resize_if_index_out_of_bounds)


@dataclass(eq=False)
class Web:
    """One list: its values, and the operations that make, change and read it, in the order of the program."""

    values: list[Value] = field(default_factory=list[Value])
    ops: list[Op] = field(default_factory=list[Op])

    @property
    def makers(self) -> list[Op]:
        return [op for op in self.ops if isinstance(op, tf.MakesListOp)]

    @property
    def items(self) -> list[Value]:
        """What is written to places of the list."""
        found: list[Value] = []
        for op in self.ops:
            if isinstance(op, tf.TensorListSetItemOp):
                found.append(op.item)
            elif isinstance(op, tf.TensorListPushBackOp):
                found.append(op.tensor)
        return found

    @property
    def sources(self) -> list[Value]:
        """Tensors whose slices are elements of the list."""
        kinds = (tf.TensorListFromTensorOp, tf.TensorListScatterV2Op, tf.TensorListScatterIntoExistingListOp)
        return [op.tensor for op in self.ops if isinstance(op, kinds)]

    @property
    def elements(self) -> list[Value]:
        """Elements that are taken out."""
        found: list[Value] = []
        for op in self.ops:
            if isinstance(op, tf.TensorListGetItemOp):
                found.append(op.results[0])
            elif isinstance(op, tf.TensorListPopBackOp):
                found.append(op.results[1])
        return found

    @property
    def grows(self) -> bool:
        return any(map(is_growing, self.ops))

    @property
    def is_read(self) -> bool:
        """Whether anything but the list itself depends on it."""
        return any(r.uses for op in self.ops for r in op.results if not tf.is_list(r))

    @property
    def dtype(self) -> DType | None:
        """The element type."""
        for v in (*self.items, *self.sources, *self.elements):
            return tensor_type(v).dtype if isinstance(v.type, TensorType) else None
        for v in self.values:
            t = tensor_type(v).dtype
            if isinstance(t, VariantType) and t.subtypes:
                return t.subtypes[0].dtype
        return None

    def element_shape(self) -> tuple[Dim, ...] | None:
        """What types say of an element's shape; None where not even the rank is known."""
        shapes: list[tuple[Dim, ...]] = []
        for v in self.values:
            t = tensor_type(v).dtype
            if isinstance(t, VariantType) and t.subtypes and t.subtypes[0].shape is not None:
                shapes.append(t.subtypes[0].shape)
        for v in (*self.items, *self.elements):
            if isinstance(v.type, TensorType):
                shapes.append(v.type.shape)
        shapes.extend(tensor_type(v).shape[1:] for v in self.sources)
        if not shapes or len({len(s) for s in shapes}) > 1:
            return None
        found: list[Dim] = []
        for sizes in zip(*shapes, strict=True):
            known = {n for n in sizes if n is not None}
            found.append(known.pop() if len(known) == 1 else None)
        return tuple(found)


class Webs:
    """The lists of a module."""

    def __init__(self, module: Op) -> None:
        self._parent: dict[Value, Value] = {}
        ops = [op for op in module.walk() if _touches_lists(op)]
        for op in ops:
            self._connect(op)
        self._webs: dict[Value, Web] = {}
        for v in self._parent:
            self._webs.setdefault(self._find(v), Web()).values.append(v)
        for op in ops:
            for web in dict.fromkeys(self.of(v) for v in (*op.operands, *op.results) if tf.is_list(v)):
                if not isinstance(op, cf.WhileOp | cf.IfOp | cf.CaseOp):
                    web.ops.append(op)

    def of(self, value: Value) -> Web:
        """The list that a value is."""
        return self._webs[self._find(value)]

    def all(self) -> list[Web]:
        return list(self._webs.values())

    def alias(self, new: Value, old: Value) -> None:
        """`new` is the same list as `old`."""
        self._parent[new] = self._find(old)

    def _find(self, value: Value) -> Value:
        root = value
        while self._parent.setdefault(root, root) is not root:
            root = self._parent[root]
        while self._parent[value] is not root:
            self._parent[value], value = root, self._parent[value]
        return root

    def _union(self, a: Value, b: Value) -> None:
        self._parent[self._find(a)] = self._find(b)

    def _connect(self, op: Op) -> None:
        for a, b in _same_lists(op):
            if tf.is_list(a) and tf.is_list(b):
                self._union(a, b)
        for v in (*op.operands, *op.results):
            if tf.is_list(v):
                self._find(v)


def _touches_lists(op: Op) -> bool:
    return any(tf.is_list(v) for v in (*op.operands, *op.results))


def _same_lists(op: Op) -> Iterator[tuple[Value, Value]]:
    """Values of an operation that are one list."""
    match op:
        case cf.WhileOp():
            for i, v in enumerate(op.operands):
                yield v, op.results[i]
                for region in op.regions:
                    yield v, region.block.args[i]
                yield v, op.body.block.terminator.operands[i]
        case cf.IfOp() | cf.CaseOp():
            for i, r in enumerate(op.results):
                for region in op.regions:
                    yield r, region.block.terminator.operands[i]
        case tf.ChangesListOp() | IdentityOp() | ZerosLikeOp():
            yield op.operands[0], op.results[0]
        case tf.TensorListConcatListsOp() | AddNOp():
            for v in op.operands:
                yield v, op.results[0]
        case _:
            pass


# ---------------------------------------------------------------------------------------------- sizes of elements


class ListSizes(KnownSizes):
    """Sizes of what is taken out of lists: those of what is put in."""

    def __init__(self, webs: Webs) -> None:
        super().__init__()
        self.webs = webs

    def beyond(self, value: OpResult, axis: int) -> tuple[Value, int] | None:
        op = value.op
        if isinstance(op, tf.TensorListGetItemOp) or (isinstance(op, tf.TensorListPopBackOp) and value.index == 1):
            return self._put_in(self.webs.of(op.operands[0]), axis)
        if isinstance(op, tf.TensorListStackOp | tf.TensorListGatherOp) and axis > 0:
            return self._put_in(self.webs.of(op.input_handle), axis - 1)
        return None

    def _put_in(self, web: Web, axis: int) -> tuple[Value, int] | None:
        for v in web.sources:
            return v, axis + 1
        for v in web.items:
            return (v, axis) if isinstance(v.type, TensorType) and axis < v.type.rank else None
        return None


def known_element(webs: Webs, known: KnownSizes, op: Op, element: Value) -> Value | list[Extent] | None:
    """What `op` takes out of a list of which all elements are the same: a value, or the numbers of a vector.

    Loops keep what their gradients need in lists: also weights, and shapes that no iteration changes.
    """
    web = webs.of(op.operands[0])
    pushes = (tf.EmptyTensorListOp, tf.TensorListPushBackOp, tf.TensorListPopBackOp, tf.TensorListGetItemOp)
    others = (tf.TensorListLengthOp, IdentityOp)
    if not web.items or not all(isinstance(o, (*pushes, *others)) for o in web.ops):
        return None
    first = web.items[0]
    if all(v is first for v in web.items) and dominates(first, op):
        return first
    t = element.type
    if not isinstance(t, TensorType) or not t.dtype.is_integer or t.rank > 1 or not t.is_static:
        return None
    lists = [_numbers(known, v) for v in web.items]
    found = lists[0]
    if found is None or any(other != found for other in lists) or not all(available(e, op) for e in found):
        return None
    return found


def _numbers(known: KnownSizes, value: Value) -> list[Extent] | None:
    """The numbers in a scalar or a vector of integers, where they are sizes or arithmetic on sizes."""
    if not isinstance(value.type, TensorType) or not value.type.is_static:
        return None
    return known.elements(value) if value.type.rank else [known.number(value)]
