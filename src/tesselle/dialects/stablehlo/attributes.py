"""Attributes of StableHLO: enumerations, dimension numbers, channels, accuracies."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tesselle.ir.attributes import DialectAttr
from tesselle.ir.types import Dim


class ComparisonDirection(enum.Enum):
    EQ = "EQ"
    NE = "NE"
    GE = "GE"
    GT = "GT"
    LE = "LE"
    LT = "LT"


class ComparisonType(enum.Enum):
    NOTYPE = "NOTYPE"
    FLOAT = "FLOAT"
    TOTALORDER = "TOTALORDER"
    SIGNED = "SIGNED"
    UNSIGNED = "UNSIGNED"


class Precision(enum.Enum):
    DEFAULT = "DEFAULT"
    HIGH = "HIGH"
    HIGHEST = "HIGHEST"


class FftType(enum.Enum):
    FFT = "FFT"
    IFFT = "IFFT"
    RFFT = "RFFT"
    IRFFT = "IRFFT"


class Transpose(enum.Enum):
    NO_TRANSPOSE = "NO_TRANSPOSE"
    TRANSPOSE = "TRANSPOSE"
    ADJOINT = "ADJOINT"
    TRANSPOSE_INVALID = "TRANSPOSE_INVALID"


class RngDistribution(enum.Enum):
    UNIFORM = "UNIFORM"
    NORMAL = "NORMAL"


class RngAlgorithm(enum.Enum):
    DEFAULT = "DEFAULT"
    THREE_FRY = "THREE_FRY"
    PHILOX = "PHILOX"


class ResultAccuracyMode(enum.Enum):
    DEFAULT = "DEFAULT"
    HIGHEST = "HIGHEST"
    TOLERANCE = "TOLERANCE"


class CustomCallApiVersion(enum.Enum):
    """How a custom call's target is called; written as an i32."""

    UNSPECIFIED = 0
    ORIGINAL = 1
    STATUS_RETURNING = 2
    STATUS_RETURNING_UNIFIED = 3
    TYPED_FFI = 4


ENUMS: dict[str, type[enum.Enum]] = {
    "comparison_direction": ComparisonDirection,
    "comparison_type": ComparisonType,
    "precision": Precision,
    "fft_type": FftType,
    "transpose": Transpose,
    "rng_distribution": RngDistribution,
    "rng_algorithm": RngAlgorithm,
    "result_accuracy_mode": ResultAccuracyMode,
}
"""Enumerations written `#stablehlo<mnemonic VALUE>`, by mnemonic."""


def _struct(name: str, *parts: tuple[str, tuple[int, ...] | int]) -> str:
    """`#stablehlo.name<key = value, …>` without the parts that are empty lists."""
    shown = ", ".join(f"{k} = {v if isinstance(v, int) else list(v)}" for k, v in parts if v != ())
    return f"#stablehlo.{name}<{shown}>"


@dataclass(frozen=True, slots=True)
class DotDimensionNumbers(DialectAttr):
    lhs_batching_dimensions: tuple[int, ...] = ()
    rhs_batching_dimensions: tuple[int, ...] = ()
    lhs_contracting_dimensions: tuple[int, ...] = ()
    rhs_contracting_dimensions: tuple[int, ...] = ()

    def __str__(self) -> str:
        return _struct(
            "dot",
            ("lhs_batching_dimensions", self.lhs_batching_dimensions),
            ("rhs_batching_dimensions", self.rhs_batching_dimensions),
            ("lhs_contracting_dimensions", self.lhs_contracting_dimensions),
            ("rhs_contracting_dimensions", self.rhs_contracting_dimensions),
        )


@dataclass(frozen=True, slots=True)
class DotAlgorithm(DialectAttr):
    """How products are computed: the types that operands are rounded to, and the type of the accumulator.

    Types are names, for tf32 is among them, which no tensor has.
    """

    lhs_precision_type: str
    rhs_precision_type: str
    accumulation_type: str
    lhs_component_count: int
    rhs_component_count: int
    num_primitive_operations: int
    allow_imprecise_accumulation: bool

    def body(self) -> str:
        return (
            f"<lhs_precision_type = {self.lhs_precision_type}, rhs_precision_type = {self.rhs_precision_type},"
            f" accumulation_type = {self.accumulation_type}, lhs_component_count = {self.lhs_component_count},"
            f" rhs_component_count = {self.rhs_component_count},"
            f" num_primitive_operations = {self.num_primitive_operations},"
            f" allow_imprecise_accumulation = {str(self.allow_imprecise_accumulation).lower()}>"
        )

    def __str__(self) -> str:
        return f"#stablehlo.dot_algorithm{self.body()}"


@dataclass(frozen=True, slots=True)
class ConvDimensionNumbers(DialectAttr):
    """Which dimension of input, kernel and output plays which part in a convolution."""

    input_batch_dimension: int
    input_feature_dimension: int
    input_spatial_dimensions: tuple[int, ...]
    kernel_input_feature_dimension: int
    kernel_output_feature_dimension: int
    kernel_spatial_dimensions: tuple[int, ...]
    output_batch_dimension: int
    output_feature_dimension: int
    output_spatial_dimensions: tuple[int, ...]

    def body(self) -> str:
        """`[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]`."""

        def side(spatial: tuple[int, ...], **special: int) -> str:
            at: dict[int, str] = {p: name for name, p in special.items()}
            at.update((p, str(i)) for i, p in enumerate(spatial))
            return "[" + ", ".join(at.get(i, "?") for i in range(max(at, default=-1) + 1)) + "]"

        lhs = side(self.input_spatial_dimensions, b=self.input_batch_dimension, f=self.input_feature_dimension)
        rhs = side(
            self.kernel_spatial_dimensions,
            i=self.kernel_input_feature_dimension,
            o=self.kernel_output_feature_dimension,
        )
        out = side(self.output_spatial_dimensions, b=self.output_batch_dimension, f=self.output_feature_dimension)
        return f"{lhs}x{rhs}->{out}"

    def __str__(self) -> str:
        return f"#stablehlo.conv<{self.body()}>"


@dataclass(frozen=True, slots=True)
class GatherDimensionNumbers(DialectAttr):
    offset_dims: tuple[int, ...] = ()
    collapsed_slice_dims: tuple[int, ...] = ()
    operand_batching_dims: tuple[int, ...] = ()
    start_indices_batching_dims: tuple[int, ...] = ()
    start_index_map: tuple[int, ...] = ()
    index_vector_dim: int = 0

    def __str__(self) -> str:
        return _struct(
            "gather",
            ("offset_dims", self.offset_dims),
            ("collapsed_slice_dims", self.collapsed_slice_dims),
            ("operand_batching_dims", self.operand_batching_dims),
            ("start_indices_batching_dims", self.start_indices_batching_dims),
            ("start_index_map", self.start_index_map),
            *((("index_vector_dim", self.index_vector_dim),) if self.index_vector_dim else ()),
        )


@dataclass(frozen=True, slots=True)
class ScatterDimensionNumbers(DialectAttr):
    update_window_dims: tuple[int, ...] = ()
    inserted_window_dims: tuple[int, ...] = ()
    input_batching_dims: tuple[int, ...] = ()
    scatter_indices_batching_dims: tuple[int, ...] = ()
    scatter_dims_to_operand_dims: tuple[int, ...] = ()
    index_vector_dim: int = 0

    def __str__(self) -> str:
        return _struct(
            "scatter",
            ("update_window_dims", self.update_window_dims),
            ("inserted_window_dims", self.inserted_window_dims),
            ("input_batching_dims", self.input_batching_dims),
            ("scatter_indices_batching_dims", self.scatter_indices_batching_dims),
            ("scatter_dims_to_operand_dims", self.scatter_dims_to_operand_dims),
            *((("index_vector_dim", self.index_vector_dim),) if self.index_vector_dim else ()),
        )


@dataclass(frozen=True, slots=True)
class ChannelHandle(DialectAttr):
    handle: int
    type: int

    def __str__(self) -> str:
        return f"#stablehlo.channel_handle<handle = {self.handle}, type = {self.type}>"


@dataclass(frozen=True, slots=True)
class OutputOperandAlias(DialectAttr):
    """A result (or a part of a result tuple) that shares memory with an operand."""

    output_tuple_indices: tuple[int, ...]
    operand_index: int
    operand_tuple_indices: tuple[int, ...]

    def __str__(self) -> str:
        return (
            f"#stablehlo.output_operand_alias<output_tuple_indices = {list(self.output_tuple_indices)},"
            f" operand_index = {self.operand_index},"
            f" operand_tuple_indices = {list(self.operand_tuple_indices)}>"
        )


def float_text(value: float) -> str:
    """The shortest decimal text with exponent that gives `value` back."""
    short = f"{value:.6e}"
    return short if float(short) == value else f"{value:.17e}"


@dataclass(frozen=True, slots=True)
class ResultAccuracy(DialectAttr):
    """How far a transcendental's result may be from the exact one."""

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0
    mode: ResultAccuracyMode = ResultAccuracyMode.DEFAULT

    def __str__(self) -> str:
        parts: list[str] = []
        if self.atol:
            parts.append(f"atol = {float_text(self.atol)}")
        if self.rtol:
            parts.append(f"rtol = {float_text(self.rtol)}")
        if self.ulps:
            parts.append(f"ulps = {self.ulps}")
        parts.append(f"mode = #stablehlo.result_accuracy_mode<{self.mode.value}>")
        return f"#stablehlo.result_accuracy<{', '.join(parts)}>"


BOUND = "tesselle.bound"
"""Attribute of a set_dimension_size whose operand's type had a bound: the bound (see drop-bounds)."""


@dataclass(frozen=True, slots=True)
class TypeExtensions(DialectAttr):
    """`#stablehlo.bounds<?, 4>`: upper bounds of dynamic dimensions, as the encoding of a tensor type."""

    bounds: tuple[Dim, ...]

    def __str__(self) -> str:
        return f"#stablehlo.bounds<{', '.join('?' if b is None else str(b) for b in self.bounds)}>"
