"""Lists of tensors, which loops fill and read: what TensorFlow makes of TensorArray and of the state of gradients.

A list is a value: an operation that changes one gives a new one. Elements have one type, of which some dimensions may
not be known when the list is made. The pass expand-tensor-lists replaces lists by tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import INTEGER, numbers, require_rank, require_rank_in, vector
from tesselle.dialects.tf_type.types import VariantType
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def, result_types_def
from tesselle.ir.types import TensorType, Type


def is_list(value: Value) -> bool:
    """Whether a value is a list of tensors."""
    return isinstance(value.type, TensorType) and isinstance(value.type.dtype, VariantType)


def require_list(op_: Op, value: Value, label: str) -> None:
    op_.require(is_list(value), label, f"expected a list, found {value.type}")


def _check_shape(op_: Op, value: Value) -> None:
    """An element shape: a vector, or the scalar -1 where nothing is known."""
    require_rank_in(op_, numbers(op_, value, "element_shape", INTEGER), 0, 1, "element_shape")


def _check_scalar(op_: Op, value: Value, label: str) -> None:
    require_rank(op_, numbers(op_, value, label, INTEGER), 0, label)


@op_base
class MakesListOp(Op):
    """An operation that makes a list."""


@op_base
class ChangesListOp(Op):
    """An operation on a list, whose result is a list with the same kind of elements."""

    input_handle: Value = operand_def()


@op_base
class ReadsListOp(Op):
    """An operation that takes tensors out of a list."""

    input_handle: Value = operand_def()


@op("tf.EmptyTensorList", PURE)
class EmptyTensorListOp(MakesListOp):
    """A list without elements, which will have max_num_elements at most, or any number where that is -1.

    Errors: element_shape, max_num_elements, result.
    """

    element_shape: Value = operand_def()
    max_num_elements: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_shape(self, self.element_shape)
        _check_scalar(self, self.max_num_elements, "max_num_elements")
        require_list(self, self.results[0], "result")


@op("tf.TensorListReserve", PURE)
class TensorListReserveOp(MakesListOp):
    """A list of num_elements elements that are set later; those that are not are zero.

    Errors: element_shape, num_elements, result.
    """

    element_shape: Value = operand_def()
    num_elements: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        _check_shape(self, self.element_shape)
        _check_scalar(self, self.num_elements, "num_elements")
        require_list(self, self.results[0], "result")


@op("tf.TensorListFromTensor", PURE)
class TensorListFromTensorOp(MakesListOp):
    """The list of the slices of a tensor along its first dimension. Errors: tensor, element_shape, result."""

    tensor: Value = operand_def()
    element_shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_rank_in(self, numbers(self, self.tensor, "tensor"), 1, None, "tensor")
        _check_shape(self, self.element_shape)
        require_list(self, self.results[0], "result")


@op("tf.TensorListScatterV2", PURE)
class TensorListScatterV2Op(MakesListOp):
    """A list with the slices of a tensor at the given places; num_elements of -1: as many as the places need.

    Errors: tensor, indices, element_shape, num_elements, result.
    """

    tensor: Value = operand_def()
    indices: Value = operand_def()
    element_shape: Value = operand_def()
    num_elements: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        t = numbers(self, self.tensor, "tensor")
        require_rank_in(self, t, 1, None, "tensor")
        vector(self, self.indices, "indices", t.shape[0])
        _check_shape(self, self.element_shape)
        _check_scalar(self, self.num_elements, "num_elements")
        require_list(self, self.results[0], "result")


@op("tf.TensorListSplit", PURE)
class TensorListSplitOp(MakesListOp):
    """The list of consecutive parts of a tensor, of the given lengths.

    Errors: tensor, element_shape, lengths, result.
    """

    tensor: Value = operand_def()
    element_shape: Value = operand_def()
    lengths: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_rank_in(self, numbers(self, self.tensor, "tensor"), 1, None, "tensor")
        _check_shape(self, self.element_shape)
        vector(self, self.lengths, "lengths")
        require_list(self, self.results[0], "result")


# ---------------------------------------------------------------------------------------------- changing


@op("tf.TensorListSetItem", PURE)
class TensorListSetItemOp(ChangesListOp):
    """The list with `item` at `index`; a list may become longer for it. Errors: input_handle, index, item, result."""

    index: Value = operand_def()
    item: Value = operand_def()
    result_type: TensorType = result_type_def()
    resize_if_index_out_of_bounds: bool = attr_def(default=False)

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_scalar(self, self.index, "index")
        self.require(isinstance(self.item.type, TensorType), "item", "an element is a tensor")
        require_list(self, self.results[0], "result")


@op("tf.TensorListPushBack", PURE)
class TensorListPushBackOp(ChangesListOp):
    """The list with another element at its end. Errors: input_handle, tensor, result."""

    tensor: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        self.require(isinstance(self.tensor.type, TensorType), "tensor", "an element is a tensor")
        require_list(self, self.results[0], "result")


@op("tf.TensorListPopBack", PURE)
class TensorListPopBackOp(ChangesListOp):
    """The list without its last element, and that element. Errors: input_handle, element_shape, results."""

    element_shape: Value = operand_def()
    output_handle: TensorType = result_type_def()
    tensor: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_shape(self, self.element_shape)
        require_list(self, self.results[0], "results")
        self.require(isinstance(self.results[1].type, TensorType), "results", "an element is a tensor")


@op("tf.TensorListResize", PURE)
class TensorListResizeOp(ChangesListOp):
    """The list with `size` elements: cut, or with zeros at its end. Errors: input_handle, size, result."""

    size: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_scalar(self, self.size, "size")
        require_list(self, self.results[0], "result")


@op("tf.TensorListScatterIntoExistingList", PURE)
class TensorListScatterIntoExistingListOp(ChangesListOp):
    """The list with the slices of a tensor at the given places. Errors: input_handle, tensor, indices, result."""

    tensor: Value = operand_def()
    indices: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        t = numbers(self, self.tensor, "tensor")
        require_rank_in(self, t, 1, None, "tensor")
        vector(self, self.indices, "indices", t.shape[0])
        require_list(self, self.results[0], "result")


@op("tf.TensorListConcatLists", PURE)
class TensorListConcatListsOp(Op):
    """The elements of one list behind those of another. Errors: input_a, input_b, result."""

    input_a: Value = operand_def()
    input_b: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_a, "input_a")
        require_list(self, self.input_b, "input_b")
        require_list(self, self.results[0], "result")


# ---------------------------------------------------------------------------------------------- reading


@op("tf.TensorListGetItem", PURE)
class TensorListGetItemOp(ReadsListOp):
    """The element at `index`. Errors: input_handle, index, element_shape."""

    index: Value = operand_def()
    element_shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_scalar(self, self.index, "index")
        _check_shape(self, self.element_shape)


@op("tf.TensorListStack", PURE)
class TensorListStackOp(ReadsListOp):
    """All elements along a new first dimension. Errors: input_handle, element_shape."""

    element_shape: Value = operand_def()
    result_type: TensorType = result_type_def()
    num_elements: int = attr_def(default=-1)

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_shape(self, self.element_shape)


@op("tf.TensorListGather", PURE)
class TensorListGatherOp(ReadsListOp):
    """The elements at the given places along a new first dimension. Errors: input_handle, indices, element_shape."""

    indices: Value = operand_def()
    element_shape: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        vector(self, self.indices, "indices")
        _check_shape(self, self.element_shape)


@op("tf.TensorListConcatV2", PURE)
class TensorListConcatV2Op(ReadsListOp):
    """All elements one behind the other, and the sizes of their first dimensions.

    Errors: input_handle, element_shape, leading_dims, results.
    """

    element_shape: Value = operand_def()
    leading_dims: Value = operand_def()
    types: Sequence[Type] = result_types_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_shape(self, self.element_shape)
        vector(self, self.leading_dims, "leading_dims")
        self.require(len(self.results) == 2, "results", f"expected 2 results, found {len(self.results)}")


@op("tf.TensorListLength", PURE)
class TensorListLengthOp(ReadsListOp):
    """The number of elements. Errors: input_handle."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        _check_scalar(self, self.results[0], "result")


@op("tf.TensorListElementShape", PURE)
class TensorListElementShapeOp(ReadsListOp):
    """The shape of an element. Errors: input_handle."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        require_list(self, self.input_handle, "input_handle")
        vector(self, self.results[0], "result")
