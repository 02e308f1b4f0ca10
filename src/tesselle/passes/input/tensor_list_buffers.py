"""Lists of tensors as buffers: their layout, and what operations on lists do to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tesselle.dialects.core.tensor import tensor_type
from tesselle.dialects.stablehlo import control_flow as cf
from tesselle.dialects.stablehlo import elementwise as e
from tesselle.dialects.stablehlo.attributes import ComparisonDirection
from tesselle.dialects.tf import lists as tf
from tesselle.ir.core import Block, Op, Region, Value
from tesselle.ir.types import Dim, TensorType, Type
from tesselle.passes.input.known_sizes import Extent, available, build
from tesselle.passes.input.loop_counts import pushes_at_most
from tesselle.passes.input.tensor_lists import ListSizes, Web
from tesselle.passes.input.tf_to_stablehlo import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.builder import Size
from tesselle.passes.input.tf_to_stablehlo.indexing import scattered
from tesselle.passes.input.tf_to_stablehlo.shape import vector_of
from tesselle.support.diagnostics import Unsupported
from tesselle.support.dtypes import I32

_LENGTH = TensorType((), I32)


@dataclass(frozen=True)
class Buffer:
    """A list: its elements, and how many there are where that is not the size of the first dimension."""

    data: Value
    length: Value | None


@dataclass(frozen=True)
class Layout:
    """How a list is stored.

    `sizes`: of an element, as extents, where they are known at the place where a list is made; else None.
    `capacity`: how many elements have room, where that is one number wherever the list is made and never changes.
    """

    web: Web
    type: TensorType
    grows: bool
    reserves: bool
    """Whether every element that is pushed has room: nothing has to grow."""

    @property
    def part_types(self) -> list[Type]:
        return [self.type, _LENGTH] if self.grows else [self.type]

    def buffer(self, parts: Sequence[Value]) -> Buffer:
        return Buffer(parts[0], parts[1] if self.grows else None)


def layout_of(web: Web, known: ListSizes) -> Layout:
    """How a list is stored. Errors: Unsupported where its elements are lists, or their rank is not known."""
    place = web.ops[0]
    dtype, shape = web.dtype, web.element_shape()
    if dtype is None or shape is None:
        raise Unsupported(
            f"{place.name}: the rank of a list's elements is not known", place.location, f"{place.name}.rank"
        )
    if dtype.is_opaque:
        raise Unsupported(f"{place.name}: lists of {dtype} are not supported", place.location, f"{place.name}.element")
    if not web.makers:
        raise Unsupported(f"{place.name}: where the list is made is not known", place.location, f"{place.name}.list")
    grows = web.grows
    reserves = grows and all(isinstance(op, tf.EmptyTensorListOp) and _has_room(web, op, known) for op in web.makers)
    reserves = reserves and not any(isinstance(op, tf.TensorListSetItemOp | tf.TensorListResizeOp) for op in web.ops)
    capacities = {_capacity(op, known) for op in web.makers} if reserves or not grows else {None}
    capacity = capacities.pop() if len(capacities) == 1 else None
    return Layout(web, TensorType((capacity, *shape), dtype), grows, reserves)


def _has_room(web: Web, op: tf.EmptyTensorListOp, known: ListSizes) -> bool:
    most = known.number(op.max_num_elements)
    return most.constant != -1 or pushes_at_most(web.ops, op, known) is not None


def _capacity(op: Op, known: ListSizes) -> Dim:
    """How many elements a list has room for, where that is known when the program is compiled."""
    match op:
        case tf.EmptyTensorListOp():
            most = known.number(op.max_num_elements).constant
            return most if most is None or most >= 0 else None
        case tf.TensorListReserveOp():
            return known.number(op.num_elements).constant
        case tf.TensorListFromTensorOp():
            return tensor_type(op.tensor).shape[0]
        case tf.TensorListScatterV2Op():
            count = known.number(op.num_elements).constant
            return count if count is not None and count >= 0 else None
        case tf.TensorListSplitOp():
            return tensor_type(op.lengths).shape[0]
        case _:
            return None


class Lists:
    """Builds what an operation on a list does to its buffer."""

    def __init__(self, b: TfBuilder, layout: Layout) -> None:
        self.b, self.layout = b, layout
        self.dtype = layout.type.dtype
        self.rank = layout.type.rank - 1

    def parts(self, buffer: Buffer) -> list[Value]:
        """The buffer as loops and branches hand it on."""
        data = self.b.cast(buffer.data, self.layout.type)
        return [data] if buffer.length is None else [data, buffer.length]

    def _sizes(self, buffer: Buffer) -> list[Size]:
        """The sizes of an element."""
        return [self.b.size_at(buffer.data, d + 1) for d in range(self.rank)]

    def _room(self, buffer: Buffer) -> Size:
        return self.b.size_at(buffer.data, 0)

    def length(self, buffer: Buffer) -> Size:
        return self._room(buffer) if buffer.length is None else self.b.scalar(buffer.length)

    def _typed(self, data: Value) -> Value:
        """The data with every size that the layout knows."""
        t = tensor_type(data)
        sizes = [n if n is not None else m for n, m in zip(t.shape, self.layout.type.shape, strict=True)]
        return self.b.cast(data, t.with_shape(sizes))

    # ------------------------------------------------------------------------------------------ making

    def make(self, op: Op) -> Buffer:
        match op:
            case tf.EmptyTensorListOp():
                return Buffer(self._zeros(self._first_room(op), op, op.element_shape), self.b.index(0))
            case tf.TensorListReserveOp():
                count = self.b.most(self.b.scalar(op.num_elements), 0)
                return self._full(self._zeros(count, op, op.element_shape))
            case tf.TensorListFromTensorOp():
                return self._full(self._typed(op.tensor))
            case tf.TensorListScatterV2Op():
                return self._scattered(op)
            case tf.TensorListSplitOp():
                return self._split(op)
            case _:
                raise Unsupported(f"{op.name} is not supported", op.location, op.name)

    def _full(self, data: Value) -> Buffer:
        """A list that fills its buffer."""
        length = self.b.value_of(self.b.size_at(data, 0)) if self.layout.grows else None
        return Buffer(data, length)

    def _first_room(self, op: tf.EmptyTensorListOp) -> Size:
        """How many elements an empty list has room for."""
        most = self.b.scalar(op.max_num_elements)
        if not isinstance(most, int) or most >= 0:
            return self.b.most(most, 0)
        bound = pushes_at_most(self.layout.web.ops, op, self.b.known)
        return build(self.b, bound) if bound is not None else 0

    def _zeros(self, count: Size, op: Op, element_shape: Value) -> Value:
        """Zeros for `count` elements."""
        given: list[Size] = [-1] * self.rank
        if self.b.rank(element_shape) == 1 and self.b.dims(element_shape)[0] == self.rank and self.rank:
            given = self.b.elements(element_shape)
        sizes: list[Size] = [count]
        for d in range(self.rank):
            known = self.layout.type.shape[d + 1]
            n = given[d]
            if known is not None:
                sizes.append(known)
            elif n != -1:
                sizes.append(self.b.most(n, 0))
            else:
                found = self._extent(op, d)
                # What is not known yet is 0: the first element gives the buffer its shape.
                sizes.append(0 if found is None else build(self.b, found))
        return self.b.broadcast_to(self.b.full(0, (), self.dtype), sizes, ())

    def _extent(self, op: Op, axis: int) -> Extent | None:
        """The size of an element, from what is put into the list, where that can be computed in front of `op`."""
        web, known = self.layout.web, self.b.known
        for v in web.sources:
            found = known.of(v, axis + 1)
            if available(found, op):
                return found
        for v in web.items:
            found = known.of(v, axis)
            if available(found, op):
                return found
        return None

    def _scattered(self, op: tf.TensorListScatterV2Op) -> Buffer:
        b = self.b
        count = b.scalar(op.num_elements)
        if not isinstance(count, int) or count < 0:
            last = b.reduce(b.convert(op.indices, I32), e.MaximumOp, -1, [0])
            needed = b.add(last, b.index(1))
            count = needed if isinstance(count, int) else b.choose(b.is_negative(count), needed, count)
        zeros = b.zeros([count, *b.sizes(op.tensor)[1:]], self.dtype)
        return self._full(self._typed(scattered(b, zeros, b.with_axis(op.indices, 1), op.tensor, None)))

    def _split(self, op: tf.TensorListSplitOp) -> Buffer:
        b = self.b
        lengths = b.known_integers(op.lengths)
        if not lengths or len(set(lengths)) > 1:
            b.unsupported("lengths", "lists of elements of different sizes are not supported")
        _, *rest = b.sizes(op.tensor)
        return self._full(b.reshape_to(op.tensor, [len(lengths), lengths[0], *rest]))

    # ------------------------------------------------------------------------------------------ changing

    def change(self, op: tf.ChangesListOp, buffer: Buffer) -> Buffer:
        match op:
            case tf.TensorListSetItemOp():
                return self._set(op, buffer)
            case tf.TensorListPushBackOp():
                return self._push(buffer, op.tensor)
            case tf.TensorListResizeOp():
                return self._resized(buffer, self.b.most(self.b.scalar(op.size), 0))
            case tf.TensorListScatterIntoExistingListOp():
                buffer = self._shaped(buffer, op.tensor, 1)
                places = self.b.with_axis(op.indices, 1)
                return Buffer(scattered(self.b, buffer.data, places, op.tensor, None), buffer.length)
            case _:
                raise Unsupported(f"{op.name} is not supported", op.location, op.name)

    def _set(self, op: tf.TensorListSetItemOp, buffer: Buffer) -> Buffer:
        index = self.b.scalar(op.index)
        length = buffer.length
        buffer = self._shaped(buffer, op.item, 0)
        if op.resize_if_index_out_of_bounds:
            needed = self.b.plus(index, 1)
            buffer = self._grown(buffer, needed)
            length = self.b.value_of(self.b.most(self.length(buffer), needed))
        return Buffer(self._written(buffer, index, op.item), length)

    def _push(self, buffer: Buffer, item: Value) -> Buffer:
        index = self.length(buffer)
        buffer = self._shaped(buffer, item, 0)
        needed = self.b.plus(index, 1)
        if not self.layout.reserves:
            buffer = self._grown(buffer, needed)
        return Buffer(self._written(buffer, index, item), self.b.value_of(needed))

    def pop(self, buffer: Buffer) -> tuple[Buffer, Value]:
        """The list without its last element, and that element."""
        rest = self.b.minus(self.length(buffer), 1)
        return Buffer(buffer.data, self.b.value_of(rest)), self._element(buffer, rest)

    def _resized(self, buffer: Buffer, size: Size) -> Buffer:
        """A buffer of exactly `size` elements; those that are added are zero."""
        b = self.b
        kept = b.least(self.length(buffer), size)
        data = b.part_of_axis(buffer.data, 0, 0, kept)
        low: list[Size] = [0] * (self.rank + 1)
        high: list[Size] = [b.minus(size, kept), *([0] * self.rank)]
        return Buffer(self._typed(b.padded(data, 0, low, high)), b.value_of(size))

    def _grown(self, buffer: Buffer, needed: Size) -> Buffer:
        """A buffer with room for `needed` elements: as it is, or of twice the size and more."""
        b = self.b
        room = self._room(buffer)
        full = b.compare(b.value_of(room), ComparisonDirection.LT, b.value_of(needed))
        t = tensor_type(buffer.data)
        open_ = t.with_shape((None, *t.shape[1:]))
        grow, keep = Block(), Block()
        with b.at(grow):
            more = b.most(b.minus(needed, room), b.most(room, 3))
            low: list[Size] = [0] * (self.rank + 1)
            larger = b.padded(buffer.data, 0, low, [more, *low[1:]])
            b.insert(cf.ReturnOp((b.cast(larger, open_),)))
        with b.at(keep):
            b.insert(cf.ReturnOp((b.cast(buffer.data, open_),)))
        branch = b.insert(cf.IfOp(full, Region([grow]), Region([keep]), (open_,)))
        return Buffer(branch.results[0], buffer.length)

    def _shaped(self, buffer: Buffer, item: Value, skipped: int) -> Buffer:
        """A buffer that has no elements yet because their shape was not known gets its shape."""
        b = self.b
        t = tensor_type(buffer.data)
        unknown = [
            d
            for d in range(self.rank)
            if t.shape[d + 1] is None and b.known.of(buffer.data, d + 1) != b.known.of(item, d + skipped)
        ]
        if not unknown or not self._starts_without_shape():
            return buffer
        given = [b.size_at(item, d + skipped) for d in range(self.rank)]
        held = b.product([b.value_of(b.size_at(buffer.data, d + 1)) for d in unknown])
        empty = b.compare(b.value_of(held), ComparisonDirection.EQ, b.index(0))
        room = self._room(buffer)
        make, keep = Block(), Block()
        with b.at(make):
            zeros = b.broadcast_to(b.full(0, (), self.dtype), [room, *given], ())
            b.insert(cf.ReturnOp((b.cast(zeros, t),)))
        with b.at(keep):
            b.insert(cf.ReturnOp((buffer.data,)))
        branch = b.insert(cf.IfOp(empty, Region([make]), Region([keep]), (t,)))
        return Buffer(branch.results[0], buffer.length)

    def _starts_without_shape(self) -> bool:
        """Whether some list of the web is made before the sizes of its elements can be known."""
        for op in self.layout.web.makers:
            if isinstance(op, tf.EmptyTensorListOp | tf.TensorListReserveOp):
                for d, n in enumerate(self.layout.type.shape[1:]):
                    given = self.b.known.elements(op.element_shape) if self.b.rank(op.element_shape) else None
                    said = given is not None and len(given) == self.rank and given[d].key != -1
                    if n is None and not said and self._extent(op, d) is None:
                        return True
        return False

    def _written(self, buffer: Buffer, index: Size, item: Value) -> Value:
        """The buffer with `item` at `index`."""
        b = self.b
        sizes = self._sizes(buffer)
        same = all(b.known.of(item, d) == b.known.of(buffer.data, d + 1) for d in range(self.rank))
        own = [b.size_at(item, d) for d in range(self.rank)]
        # Where it is not known that the item has the elements' sizes, the reshape makes sure of it.
        update = b.reshape_to(item, [1, *(own if same else sizes)])
        zeros = [b.index(0)] * self.rank
        return b.dynamic_update(buffer.data, update, [b.value_of(index), *zeros])

    # ------------------------------------------------------------------------------------------ reading

    def read(self, op: tf.ReadsListOp, buffer: Buffer) -> Value:
        b = self.b
        match op:
            case tf.TensorListGetItemOp():
                return self._element(buffer, b.scalar(op.index))
            case tf.TensorListStackOp():
                return self._elements(buffer)
            case tf.TensorListGatherOp():
                return b.take(self._elements(buffer), op.indices, 0)
            case tf.TensorListLengthOp():
                return b.value_of(self.length(buffer), op.result_type.dtype)
            case tf.TensorListElementShapeOp():
                return vector_of(b, self._sizes(buffer), op.result_type)
            case _:
                raise Unsupported(f"{op.name} is not supported", op.location, op.name)

    def _elements(self, buffer: Buffer) -> Value:
        """All elements, without the room behind them."""
        if buffer.length is None:
            return buffer.data
        return self.b.part_of_axis(buffer.data, 0, 0, self.length(buffer))

    def _element(self, buffer: Buffer, index: Size) -> Value:
        """The element at `index`, which is taken as the nearest inside."""
        b = self.b
        sizes = self._sizes(buffer)
        known = [n for n in sizes if isinstance(n, int)]
        start = b.value_of(index)
        if len(known) == len(sizes):
            slice_ = b.dynamic_slice(buffer.data, [start, *([b.index(0)] * self.rank)], [1, *known])
        else:
            first = b.most(b.least(start, b.minus(self._room(buffer), 1)), 0)
            slice_ = b.part(buffer.data, [first, *([0] * self.rank)], [b.plus(first, 1), *sizes])
        return b.reshape_to(slice_, sizes)

    def concatenated(self, op: tf.TensorListConcatV2Op, buffer: Buffer) -> list[Value]:
        """All elements one behind the other, and the sizes of their first dimensions."""
        b = self.b
        if not self.rank:
            b.unsupported("element", "elements without dimensions cannot be concatenated")
        data = self._elements(buffer)
        count, (first, *rest) = b.size_at(data, 0), self._sizes(buffer)
        whole = b.reshape_to(data, [b.times(count, first), *rest])
        lengths = tensor_type(op.results[1]).dtype
        return [whole, b.broadcast_to(b.value_of(first, lengths), [count], ())]

    # ------------------------------------------------------------------------------------------ several lists

    def joined(self, x: Buffer, y: Buffer) -> Buffer:
        data = self.b.concatenate([self._elements(x), self._elements(y)], 0)
        return self._full(self._typed(data))

    def sum(self, buffers: Sequence[Buffer]) -> Buffer:
        """Element by element; lists that are added have one length."""
        data = self._elements(buffers[0])
        for other in buffers[1:]:
            data = self.b.binary(e.AddOp, data, self._elements(other))
        return self._full(self._typed(data))

    def zeros_like(self, buffer: Buffer) -> Buffer:
        data = self.b.zeros([self._room(buffer), *self._sizes(buffer)], self.dtype)
        return Buffer(self._typed(data), buffer.length)
