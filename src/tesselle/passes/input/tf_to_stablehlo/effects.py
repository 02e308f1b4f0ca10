"""Operations that are there for people to see, or for nothing: they leave nothing behind."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf import control_flow as tf
from tesselle.ir.core import Value
from tesselle.passes.input.tf_to_stablehlo.builder import TfBuilder
from tesselle.passes.input.tf_to_stablehlo.registry import lowering


@lowering(tf.NoOpOp, tf.AssertOp, tf.PrintV2Op)
def nothing(op: tf.NoOpOp, b: TfBuilder) -> Sequence[Value]:
    """Checks of values would make every call wait for the device; as for XLA, they are TensorFlow's business."""
    return ()


@lowering(tf.PrintOp)
def print_(op: tf.PrintOp, b: TfBuilder) -> Value:
    return op.input
