"""Sorted string tables, the format of LevelDB in which TensorFlow keeps the index of a checkpoint.

    data blocks, the metaindex block, the index block: each its entries, a byte of compression, a masked CRC-32C
    footer of 48 bytes: handles (offset and size, varints) of metaindex and index, padding, a magic number

An entry is three varints (bytes of the key shared with the key before, further bytes of the key, bytes of the value),
then the bytes. Entries of the index block name data blocks. Source: LevelDB, doc/table_format.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NoReturn

from tesselle.frontends.tensorflow.crc32c import masked_crc32c
from tesselle.frontends.tensorflow.wire import Message, varint
from tesselle.support.diagnostics import ParseError, Unsupported
from tesselle.support.locations import ByteLocation

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5


def read_table(data: memoryview, file: str) -> Iterator[tuple[bytes, Message]]:
    """Keys and values of a table, in the order of the keys. Errors: ParseError, Unsupported (compressed blocks)."""
    if len(data) < _FOOTER_BYTES:
        _fail(f"{len(data)} bytes are no table", file, 0)
    footer = Message(data[-_FOOTER_BYTES:], file, len(data) - _FOOTER_BYTES)
    if int.from_bytes(footer.data[-8:], "little") != _MAGIC:
        _fail("not a table: another magic number", file, len(data) - 8)
    _, at = footer.varint(0)
    _, at = footer.varint(at)
    last: bytes | None = None
    for _, handle in _entries(_block(data, footer, at)):
        for key, value in _entries(_block(data, handle, 0)):
            if last is not None and key <= last:
                _fail(f"key {key!r} is not behind {last!r}", file, value.offset)
            last = key
            yield key, value


def _block(data: memoryview, handle: Message, at: int) -> Message:
    """The entries and restart points of the block that a handle names."""
    offset, at = handle.varint(at)
    size, _ = handle.varint(at)
    if offset + size + _TRAILER_BYTES > len(data):
        handle.fail("a block outside the file")
    end = offset + size
    if data[end] != 0:
        raise Unsupported(f"{handle.file}: compressed tables are not supported")
    if masked_crc32c(data[offset : end + 1]) != int.from_bytes(data[end + 1 : end + 5], "little"):
        _fail("a block whose checksum is wrong", handle.file, offset)
    return Message(data[offset:end], handle.file, offset)


def _entries(block: Message) -> Iterator[tuple[bytes, Message]]:
    size = len(block.data)
    restarts = int.from_bytes(block.data[-4:], "little") if size >= 4 else size
    end = size - 4 - 4 * restarts
    if end < 0:
        block.fail("a block without room for its restart points")
    key, at = b"", 0
    while at < end:
        begin = at
        shared, at = block.varint(at)
        further, at = block.varint(at)
        length, at = block.varint(at)
        if shared > len(key) or at + further + length > end:
            block.fail("an entry that its block does not hold", begin)
        key = key[:shared] + bytes(block.data[at : at + further])
        at += further
        yield key, Message(block.data[at : at + length], block.file, block.offset + at)
        at += length


def write_table(entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A table of one data block; keys must be sorted."""
    blocks = bytearray()

    def write(block_entries: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Append a block, every key whole; its handle."""
        offset, restarts, contents = len(blocks), [0], bytearray()
        for key, value in block_entries:
            if contents:
                restarts.append(len(contents))
            contents += varint(0) + varint(len(key)) + varint(len(value)) + key + value
        contents += b"".join(r.to_bytes(4, "little") for r in restarts) + len(restarts).to_bytes(4, "little")
        size = len(contents)
        contents.append(0)
        blocks.extend(contents + masked_crc32c(contents).to_bytes(4, "little"))
        return varint(offset) + varint(size)

    data = write(entries)
    handles = write([]) + write([(entries[-1][0] if entries else b"", data)])
    return bytes(blocks) + handles.ljust(_FOOTER_BYTES - 8, b"\0") + _MAGIC.to_bytes(8, "little")


def _fail(what: str, file: str, at: int) -> NoReturn:
    raise ParseError(f"damaged: {what}", ByteLocation(file, at))
