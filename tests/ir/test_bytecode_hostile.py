"""Bytecode that lies: every number that a file can make up is held against what the file can contain."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence

import pytest

from tesselle.ir.bytecode import MAGIC, parse_bytecode
from tesselle.ir.bytecode.stream import Stream
from tesselle.ir.text import parse_module, print_op
from tesselle.ir.verify import verify
from tesselle.support.diagnostics import ParseError, TesselleError, Unsupported

HUGE = (1 << 64) - 1


def varint(value: int) -> bytes:
    for size in range(1, 9):
        if value < 1 << (7 * size):
            return (((value << 1) | 1) << (size - 1)).to_bytes(size, "little")
    return b"\0" + value.to_bytes(8, "little")


def numbers(*values: int) -> bytes:
    return b"".join(map(varint, values))


def section(kind: int, data: bytes, size: int | None = None) -> bytes:
    return bytes([kind]) + varint(len(data) if size is None else size) + data


def file(
    *,
    attributes: Sequence[bytes] = (numbers(15),),
    types: Sequence[bytes] = (),
    ir: bytes = numbers(0),
    strings: Sequence[bytes] = (b"builtin", b"module", b"foo"),
    offsets: bytes | None = None,
    extra: bytes = b"",
    version: int = 6,
    operations: int = 2,
) -> bytes:
    """A file of dialect `builtin`, whose operations are the strings behind its name; attribute 0 is a location."""
    reverse = b"".join(varint(len(s) + 1) for s in reversed(strings))
    string_section = varint(len(strings)) + reverse + b"".join(s + b"\0" for s in strings)
    names = b"".join(varint((i + 1) << 1 | 1) for i in range(operations))
    dialects = numbers(1, 0) + varint(operations) + numbers(0, operations) + names
    entries = [*attributes, *types]
    if offsets is None:
        offsets = numbers(len(attributes), len(types))
        for group in (attributes, types):
            if group:
                offsets += numbers(0, len(group)) + b"".join(varint(len(e) << 1 | 1) for e in group)
    return b"".join(
        [
            MAGIC,
            varint(version),
            b"hostile\0",
            section(0, string_section),
            section(1, dialects),
            section(2, b"".join(entries)),
            section(3, offsets),
            section(4, ir),
            extra,
        ]
    )


def module(body: bytes) -> bytes:
    """The IR of a module with a region that holds `body`."""
    return numbers(1 << 1) + operation(0, 16) + varint(1 << 1 | 1) + section(4, body)


def operation(name: int, mask: int) -> bytes:
    return varint(name) + bytes([mask]) + varint(0)


def refused(data: bytes, message: str, error: type[TesselleError] = ParseError) -> None:
    """The file is refused with a place, and without much memory."""
    tracemalloc.start()
    with pytest.raises(error, match=message) as caught:
        parse_bytecode(data, "hostile.mlirbc", allow_unregistered=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert str(caught.value).startswith("hostile.mlirbc:0x")
    assert peak < 50 << 20


def test_smallest_file() -> None:
    read = parse_bytecode(file(ir=module(numbers(1, 0) + numbers(0))))
    assert read.name == "builtin.module"
    verify(read)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ML\xefX", "no MLIR bytecode"),
        (MAGIC + varint(6) + b"no end", "does not end"),
        (file(extra=section(4, b"")), "stands twice"),
        (file(extra=section(9, b"")), "no section 9"),
        (file(extra=section(5, b"", HUGE)), "but 0 are left"),
        (file(extra=bytes([5 | 0x80]) + varint(0) + varint(3)), "3 is no alignment"),
        (file(extra=bytes([5 | 0x80]) + varint(0) + varint(1 << 40)), "is no alignment"),
        (file(ir=numbers(HUGE >> 1)), "operations"),
        (file(ir=module(numbers(HUGE))), "blocks"),
        (file(ir=module(numbers(1, HUGE) + numbers(0))), "values"),
        (file(ir=module(numbers(1, 0) + numbers(1, HUGE >> 1))), "arguments"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(9, 0))), "out of range"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 4) + numbers(HUGE))), "out of range"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 4) + numbers(1, 7))), "out of range"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 2) + numbers(1, 7))), "out of range"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 1) + numbers(7))), "no attribute 7"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 64) + numbers(7))), "no properties 7"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 8) + numbers(HUGE))), "successors"),
        (file(ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 16) + numbers(HUGE))), "regions"),
        (file(ir=module(numbers(1, 1) + numbers(1 << 1) + operation(1, 4) + numbers(1, 0))), "not defined"),
        (file(offsets=numbers(HUGE, 0)), "attributes and types"),
        (file(offsets=numbers(1, 0, 0, HUGE)), "entries"),
        (file(offsets=numbers(1, 0, 0, 1, HUGE)), "reaches behind"),
        (file(offsets=numbers(1, 0, 5, 1, 2)), "no dialect 5"),
        (file(strings=(b"builtin", b"module", b"foo"), operations=9), "no string"),
        (file(attributes=[numbers(15) + b"x"], ir=module(numbers(1, 0) + numbers(0))), "left behind"),
    ],
)
def test_numbers_that_lie(data: bytes, message: str) -> None:
    refused(data, message)


def with_attribute(*attributes: bytes, types: Sequence[bytes] = ()) -> bytes:
    """A module with an operation whose dictionary is attribute 1."""
    return file(
        attributes=[numbers(15), *attributes],
        types=types,
        ir=module(numbers(1, 0) + numbers(1 << 1) + operation(1, 1) + numbers(1)),
    )


def dictionary(*references: int) -> bytes:
    """A dictionary of the attributes at `references`, which must come in pairs of a name and a value."""
    return numbers(1, len(references) // 2, *references)


NAME = numbers(2, 2)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ([dictionary(2, 3), NAME, numbers(0, 1, 3)], "refers to itself"),
        ([dictionary(2, 3), NAME, numbers(0, 1, 4), numbers(0, 1, 3)], "refers to itself"),
        ([dictionary(2, 9), NAME], "no attribute 9"),
        ([dictionary(2, 2, 2, 2), NAME], "given twice"),
        ([dictionary(0, 0)], "expected a string"),
        ([NAME], "expected a dictionary"),
        ([numbers(0, HUGE)], "elements"),
        ([dictionary(2, 3), NAME, numbers(8, 0) + b"\0"], "no type 0"),
        ([dictionary(2, 3), NAME, numbers(2, 77)], "no string 77"),
        ([dictionary(2, 3), NAME, numbers(18, 0, HUGE)], "no type 0"),
        # Lists of lists of lists …, each twice in the next: written out, they would fill any memory.
        ([dictionary(2, 3), NAME, *(numbers(0, 2, i + 1, i + 1) for i in range(3, 60)), NAME], "consists of more"),
        ([dictionary(2, 3), NAME, *(numbers(0, 1, i + 1) for i in range(3, 300)), NAME], "nested too deeply"),
    ],
)
def test_attributes_that_lie(attributes: Sequence[bytes], message: str) -> None:
    refused(with_attribute(*attributes), message)


@pytest.mark.parametrize(
    ("types", "message"),
    [
        ([numbers(18, 2), b""], "without a rank|unexpected end"),
        ([numbers(13, 1, 14) + varint(1), numbers(5)], "needs"),
        ([numbers(13, HUGE >> 8)], "dimensions"),
        ([numbers(13, 1, HUGE - 4, 1), numbers(5)], "is no dimension"),
        ([numbers(2, 1, 0, 0)], "refers to itself"),
        ([numbers(0, 7 << 2)], "integers of 7 bits"),
        ([numbers(99)], "no type with code 99"),
    ],
)
def test_types_that_lie(types: Sequence[bytes], message: str) -> None:
    dense = numbers(18, 0, 2) + b"ab"
    refused(with_attribute(dictionary(2, 3), NAME, dense, types=types), message, TesselleError)


@pytest.mark.parametrize("text", [b"#foo<\0", b"[[[\0", b"1 : i32 2\0", b"no end"])
def test_text_entries_that_lie(text: bytes) -> None:
    entries = [numbers(15), dictionary(2, 3), NAME, text]
    # The flag behind the size of an entry says that it is not text.
    sizes = b"".join(varint(len(e) << 1 | (e is not text)) for e in entries)
    ir = module(numbers(1, 0) + numbers(1 << 1) + operation(1, 1) + numbers(1))
    refused(file(attributes=entries, offsets=numbers(4, 0, 0, 4) + sizes, ir=ir), "attribute")


def test_newer_formats_are_refused() -> None:
    refused(file(version=7), "newer", Unsupported)


def nested_bytecode(depth: int) -> bytes:
    """Operations in operations, `depth` regions deep."""
    inside = operation(1, 16) + varint(1 << 1) + numbers(1, 0) + numbers(1 << 1)
    return file(ir=numbers(1 << 1) + inside * depth + operation(1, 0))


def nested_text(depth: int) -> str:
    return '"foo.bar"() ({\n' * depth + "}) : () -> ()\n" * depth


@pytest.mark.parametrize("depth", [90, 101, 1000, 100_000])
@pytest.mark.parametrize("read", [lambda d: parse_bytecode(nested_bytecode(d), allow_unregistered=True), None])
def test_nesting(depth: int, read: Callable[[int], object] | None) -> None:
    def read_text(d: int) -> object:
        return parse_module(nested_text(d), allow_unregistered=True)

    try:
        found = (read or read_text)(depth)
    except ParseError as error:
        message = str(error)
        assert depth > 100 and "deep" in message
        return
    assert depth <= 100
    verify(found)  # type: ignore[arg-type] # it is a module
    print_op(found)  # type: ignore[arg-type] # it is a module


@pytest.mark.parametrize(
    "text",
    [
        "module attributes {a = " + "[" * 100_000,
        "module attributes {a = " + "{b = " * 100_000,
        "func.func private @f(" + "tuple<" * 100_000,
        "func.func private @f(" + "(" * 100_000,
        'module attributes {a = loc("x"(' * 50_000,
        "module attributes {a = affine_map<(d0) -> (" + "(" * 100_000,
        "module attributes {a = dense<" + "[" * 100_000,
        "func.func private @f(tensor<2x!quant.uniform<i8:f32:{}, " + "{" * 100_000,
        "".join(f"#a{i} = [#a{i + 1}, #a{i + 1}]\n" for i in range(60)) + "#a60 = 1\nmodule attributes {a = #a0} {}",
        "".join(f"!a{i} = tuple<!a{i + 1}, !a{i + 1}>\n" for i in range(60))
        + "!a60 = i1\nmodule attributes {a = !a0} {}",
    ],
    ids=["lists", "dictionaries", "tuples", "functions", "locations", "maps", "elements", "scales", "aliases", "types"],
)
def test_nested_text(text: str) -> None:
    with pytest.raises(TesselleError):
        verify(parse_module(text))


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 10_000])
def test_strings_of_any_length(size: int) -> None:
    """A string is looked through piece by piece; what follows stays where it is."""
    text = "é" * (size // 2) + "a" * (size % 2)
    stream = Stream(memoryview(b"?" + text.encode() + b"\0rest"), "m.mlirbc", pos=1)
    assert stream.terminated() == text
    assert bytes(stream.take(4)) == b"rest"


def test_a_string_that_does_not_end() -> None:
    stream = Stream(b"a" * 9000 + b"\0", "m.mlirbc", end=9000)
    with pytest.raises(ParseError, match="a string does not end"):
        stream.terminated()
