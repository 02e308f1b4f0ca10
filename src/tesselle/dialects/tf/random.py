"""Random numbers whose state is given: keys and counters, seeds, and generators in variables."""

from __future__ import annotations

from collections.abc import Sequence

from tesselle.dialects.tf.base import INTEGER, numbers, require_rank, require_size_of, vector
from tesselle.dialects.tf.variables import resource_dtype
from tesselle.ir.core import PURE, Op, Value
from tesselle.ir.declare import op, op_base, operand_def, result_type_def
from tesselle.ir.types import TensorType, Type
from tesselle.support.dtypes import I32, UI64


@op("tf.StatelessRandomGetKeyCounter", PURE)
class StatelessRandomGetKeyCounterOp(Op):
    """A key and a counter of Philox-4x32, scrambled from a seed of two integers. Errors: seed, results."""

    seed: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        vector(self, self.seed, "seed", 2)
        return (TensorType((1,), UI64), TensorType((2,), UI64))


@op("tf.StatelessRandomGetAlg", PURE)
class StatelessRandomGetAlgOp(Op):
    """The number of the algorithm: 1, which is Philox."""

    def infer(self) -> Sequence[Type]:
        return (TensorType((), I32),)


@op("tf.StatelessRandomGetKeyCounterAlg", PURE)
class StatelessRandomGetKeyCounterAlgOp(Op):
    """A key, a counter, and the number of the algorithm. Errors: seed."""

    seed: Value = operand_def()

    def infer(self) -> Sequence[Type]:
        vector(self, self.seed, "seed", 2)
        return (TensorType((1,), UI64), TensorType((2,), UI64), TensorType((), I32))


@op_base
class CounterBasedOp(Op):
    """Random numbers of a key and a counter. Errors: shape, key, counter, alg."""

    shape: Value = operand_def()
    key: Value = operand_def()
    counter: Value = operand_def()
    alg: Value = operand_def()

    def check_state(self, result: TensorType) -> None:
        vector(self, self.shape, "shape", result.rank)
        for label, value, size in (("key", self.key, 1), ("counter", self.counter, None)):
            t = numbers(self, value, label, INTEGER)
            self.require(t.rank == 1 and t.dtype is UI64, label, f"expected a vector of ui64, found {t}")
            require_size_of(self, t.shape[0], size, label, f"the elements of {t}")
        require_rank(self, numbers(self, self.alg, "alg", INTEGER), 0, "alg")


@op_base
class SeedBasedOp(Op):
    """Random numbers of a seed of two integers. Errors: shape, seed."""

    shape: Value = operand_def()
    seed: Value = operand_def()

    def check_state(self, result: TensorType) -> None:
        vector(self, self.shape, "shape", result.rank)
        vector(self, self.seed, "seed", 2)


@op("tf.StatelessRandomUniformV2", PURE)
class StatelessRandomUniformV2Op(CounterBasedOp):
    """Floats that are equally likely in [0, 1)."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomUniform", PURE)
class StatelessRandomUniformOp(SeedBasedOp):
    """Floats that are equally likely in [0, 1)."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomNormalV2", PURE)
class StatelessRandomNormalV2Op(CounterBasedOp):
    """Floats of the normal distribution, by the method of Box and Muller."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomNormal", PURE)
class StatelessRandomNormalOp(SeedBasedOp):
    """Floats of the normal distribution, by the method of Box and Muller."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessTruncatedNormalV2", PURE)
class StatelessTruncatedNormalV2Op(CounterBasedOp):
    """Floats of the normal distribution; those of 2 and more are drawn again."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessTruncatedNormal", PURE)
class StatelessTruncatedNormalOp(SeedBasedOp):
    """Floats of the normal distribution; those of 2 and more are drawn again."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomUniformFullIntV2", PURE)
class StatelessRandomUniformFullIntV2Op(CounterBasedOp):
    """Integers that are all equally likely."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomUniformFullInt", PURE)
class StatelessRandomUniformFullIntOp(SeedBasedOp):
    """Integers that are all equally likely."""

    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)


@op("tf.StatelessRandomUniformIntV2", PURE)
class StatelessRandomUniformIntV2Op(CounterBasedOp):
    """Integers in [minval, maxval), by the remainder of random bits. Errors: minval, maxval."""

    minval: Value = operand_def()
    maxval: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)
        check_bounds(self, self.minval, self.maxval)


@op("tf.StatelessRandomUniformInt", PURE)
class StatelessRandomUniformIntOp(SeedBasedOp):
    """Integers in [minval, maxval), by the remainder of random bits. Errors: minval, maxval."""

    minval: Value = operand_def()
    maxval: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        self.check_state(self.result_type)
        check_bounds(self, self.minval, self.maxval)


def check_bounds(op_: Op, minval: Value, maxval: Value) -> None:
    for label, v in (("minval", minval), ("maxval", maxval)):
        require_rank(op_, numbers(op_, v, label, INTEGER), 0, label)


@op("tf.RngReadAndSkip")
class RngReadAndSkipOp(Op):
    """The state of a generator, a counter and a key; adds `delta` to the counter. Errors: resource, alg, delta."""

    resource: Value = operand_def()
    alg: Value = operand_def()
    delta: Value = operand_def()
    result_type: TensorType = result_type_def()

    def check(self) -> None:
        resource_dtype(self, self.resource)
        require_rank(self, numbers(self, self.alg, "alg", INTEGER), 0, "alg")
        require_rank(self, numbers(self, self.delta, "delta", INTEGER), 0, "delta")
        vector(self, self.results[0], "result")
