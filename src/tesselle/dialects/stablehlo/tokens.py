"""Operations ordered by tokens: after_all, infeed, outfeed, send, recv."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.stablehlo.attributes import ChannelHandle
from tesselle.dialects.stablehlo.base import tensor_type
from tesselle.ir.attribute_types import PairTable
from tesselle.ir.attributes import Attribute
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import attr_def, op, operand_def, result_types_def, variadic_def
from tesselle.ir.types import TokenType, Type

TOKEN = TokenType()


DEVICE_TO_DEVICE, DEVICE_TO_HOST, HOST_TO_DEVICE = 1, 2, 3
"""Types of channels."""


def _require_channel(op_: SendOp | RecvOp, to_host: int, label: str) -> None:
    expected = to_host if op_.is_host_transfer else DEVICE_TO_DEVICE
    what = "a transfer with the host" if op_.is_host_transfer else "a transfer between devices"
    found = op_.channel_handle.type
    op_.require(found == expected, label, f"the channel of {what} must have type {expected}, found {found}")


def _require_tensors(op_: Op, label: str) -> None:
    for r in op_.results[:-1]:
        tensor_type(op_, r.type, label, per_axis=True)


def require_token(op_: Op, value: Value, label: str) -> None:
    op_.require(value.type == TOKEN, label, f"expected {TOKEN}, found {value.type}")


@op("stablehlo.create_token", PURE)
class CreateTokenOp(Op):
    """A token that waits for nothing."""

    def infer(self) -> Sequence[Type]:
        return (TOKEN,)


@op("stablehlo.after_all", PURE)
class AfterAllOp(Op):
    """A token that waits for all inputs. Errors: I1 (an input is no token)."""

    inputs: Sequence[Value] = variadic_def()

    def infer(self) -> Sequence[Type]:
        for v in self.operands:
            require_token(self, v, "I1")
        return (TOKEN,)


@op("stablehlo.infeed")
class InfeedOp(Op):
    """Reads tensors from the infeed. Errors: I1 (token), C1 (no result), C2, C3 (tensors, then a token)."""

    token: Value = operand_def()
    types: Sequence[Type] = result_types_def()
    infeed_config: str = attr_def(default="")
    layout: tuple[Attribute, ...] | None = attr_def(default=None)

    def check(self) -> None:
        require_token(self, self.token, "I1")
        self.require(len(self.results) > 0, "C1", "infeed has a result")
        _require_tensors(self, "C2")
        require_token(self, self.results[-1], "C3")


@op("stablehlo.outfeed")
class OutfeedOp(Op):
    """Writes the inputs to the outfeed. Errors: I2 (token)."""

    inputs: Sequence[Value] = variadic_def()
    token: Value = operand_def()
    outfeed_config: str = attr_def(default="")

    def infer(self) -> Sequence[Type]:
        require_token(self, self.token, "I2")
        return (TOKEN,)


@op("stablehlo.send")
class SendOp(Op):
    """Sends the inputs over a channel. Errors: I2 (token), C1 (type of the channel)."""

    inputs: Sequence[Value] = variadic_def()
    token: Value = operand_def()
    channel_handle: ChannelHandle = attr_def()
    is_host_transfer: bool = attr_def(default=False)
    source_target_pairs: PairTable | None = attr_def(default=None)

    def infer(self) -> Sequence[Type]:
        require_token(self, self.token, "I2")
        _require_channel(self, DEVICE_TO_HOST, "C1")
        return (TOKEN,)


@op("stablehlo.recv")
class RecvOp(Op):
    """Receives tensors from a channel.

    Errors: I1 (token), C1 (type of the channel), C2 (no result), C3, C4 (tensors, then a token). Source: spec, recv.
    """

    token: Value = operand_def()
    channel_handle: ChannelHandle = attr_def()
    types: Sequence[Type] = result_types_def()
    is_host_transfer: bool = attr_def(default=False)
    source_target_pairs: PairTable | None = attr_def(default=None)

    def check(self) -> None:
        require_token(self, self.token, "I1")
        _require_channel(self, HOST_TO_DEVICE, "C1")
        self.require(len(self.results) > 0, "C2", "recv has a result")
        _require_tensors(self, "C3")
        require_token(self, self.results[-1], "C4")
