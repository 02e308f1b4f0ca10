"""The binary layout of every float type: what conversions and operations on bits need to know.

Sources: IEEE 754; the OCP 8-bit and microscaling formats; the names of LLVM's APFloat, which StableHLO's types have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tesselle.support.dtypes import DType

Specials = Literal["ieee", "fn", "fnuz", "finite", "scale"]


@dataclass(frozen=True)
class FloatFormat:
    """A sign bit (`scale`: none), `exponent_bits`, `mantissa_bits`, from the highest bit on.

    `specials` says which codes are no numbers: "ieee": the largest exponent is infinity and nan; "fn": all ones is nan;
    "fnuz": the code of -0 is nan; "finite": none; "scale": powers of two only, no sign and no zero, all ones is nan.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: Specials

    @property
    def code_bits(self) -> int:
        return self.exponent_bits + self.mantissa_bits + (self.specials != "scale")

    @property
    def storage_bits(self) -> int:
        return max(8, self.code_bits)

    @property
    def sign_bit(self) -> int:
        """0 for a format without sign."""
        return 0 if self.specials == "scale" else 1 << (self.exponent_bits + self.mantissa_bits)

    @property
    def magnitude_mask(self) -> int:
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1

    @property
    def infinity(self) -> int:
        """The first magnitude that is not finite."""
        if self.specials == "ieee":
            return ((1 << self.exponent_bits) - 1) << self.mantissa_bits
        return self.magnitude_mask + (0 if self.specials in ("fn", "scale") else 1)

    @property
    def nan(self) -> int:
        """The code of nan: the quiet one without payload; the code that conversions write where there is none (-0)."""
        match self.specials:
            case "ieee":
                return self.infinity | (1 << (self.mantissa_bits - 1))
            case "fn" | "scale":
                return self.magnitude_mask
            case "fnuz" | "finite":
                return self.sign_bit

    @property
    def zero(self) -> int:
        """The code that zero is converted to: nan where there is none."""
        return self.nan if self.specials == "scale" else 0

    @property
    def overflow(self) -> int:
        """What a positive number too large for the format becomes: infinity, else nan, else the largest number."""
        match self.specials:
            case "ieee":
                return self.infinity
            case "fn" | "fnuz" | "scale":
                return self.nan
            case "finite":
                return self.magnitude_mask


FORMATS: dict[str, FloatFormat] = {
    "f64": FloatFormat(11, 52, 1023, "ieee"),
    "f32": FloatFormat(8, 23, 127, "ieee"),
    "bf16": FloatFormat(8, 7, 127, "ieee"),
    "f16": FloatFormat(5, 10, 15, "ieee"),
    "f8E5M2": FloatFormat(5, 2, 15, "ieee"),
    "f8E4M3": FloatFormat(4, 3, 7, "ieee"),
    "f8E3M4": FloatFormat(3, 4, 3, "ieee"),
    "f8E4M3FN": FloatFormat(4, 3, 7, "fn"),
    "f8E5M2FNUZ": FloatFormat(5, 2, 16, "fnuz"),
    "f8E4M3FNUZ": FloatFormat(4, 3, 8, "fnuz"),
    "f8E4M3B11FNUZ": FloatFormat(4, 3, 11, "fnuz"),
    "f8E8M0FNU": FloatFormat(8, 0, 127, "scale"),
    "f6E2M3FN": FloatFormat(2, 3, 1, "finite"),
    "f6E3M2FN": FloatFormat(3, 2, 3, "finite"),
    "f4E2M1FN": FloatFormat(2, 1, 1, "finite"),
}
"""By the name of the element type."""


def format_of(dtype: DType) -> FloatFormat:
    """The layout of a float type; KeyError for other types."""
    return FORMATS[dtype.name]


def reduced_exponents(f: FloatFormat, exponent_bits: int) -> tuple[int, int]:
    """For `f` with fewer exponent bits: (the exponent field of its largest numbers, the field up to which all is 0)."""
    reduced = (1 << (exponent_bits - 1)) - 1
    return (f.bias + reduced) << f.mantissa_bits, max(0, f.bias - reduced) << f.mantissa_bits
