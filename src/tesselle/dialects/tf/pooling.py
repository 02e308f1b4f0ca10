"""The largest element, or the mean, of every place of a moving window."""

from __future__ import annotations

from tesselle.dialects.tf.base import INTEGER_OR_FLOAT, numbers
from tesselle.dialects.tf.contraction import WindowAttributes
from tesselle.ir.core import PURE, Value
from tesselle.ir.declare import attr_def, op, op_base, operand_def, result_type_def
from tesselle.ir.types import TensorType


@op_base
class PoolOp(WindowAttributes):
    """`ksize`: the window, with an entry for every dimension. Errors: input, ksize, strides, padding, data_format."""

    RANK = 4
    ksize: tuple[int, ...] = attr_def()
    result_type: TensorType = result_type_def()
    data_format: str = attr_def(default="")

    def check(self) -> None:
        t = numbers(self, self.operands[0], "input", INTEGER_OR_FLOAT)
        self.require(t.rank == self.RANK, "input", f"expected a tensor of rank {self.RANK}, found {t}")
        self.require(len(self.ksize) == t.rank, "ksize", f"expected {t.rank} sizes, found {list(self.ksize)}")
        self.require(min(self.ksize) > 0, "ksize", f"sizes must be positive, found {list(self.ksize)}")
        self.check_window(t.rank)
        self.require("VECT" not in self.data_format, "data_format", f"{self.data_format} has no elements of its own")


@op("tf.MaxPool", PURE)
class MaxPoolOp(PoolOp):
    """The largest element of each window of images; what is added at the edges does not count."""

    input: Value = operand_def()


@op("tf.MaxPool3D", PURE)
class MaxPool3DOp(PoolOp):
    """The largest element of each window of volumes."""

    RANK = 5
    input: Value = operand_def()


@op("tf.AvgPool", PURE)
class AvgPoolOp(PoolOp):
    """The mean of each window of images; what is added at the edges does not count."""

    value: Value = operand_def()


@op("tf.AvgPool3D", PURE)
class AvgPool3DOp(PoolOp):
    """The mean of each window of volumes."""

    RANK = 5
    input: Value = operand_def()
