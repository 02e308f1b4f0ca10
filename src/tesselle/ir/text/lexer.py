"""Tokens of MLIR text.

The text is cut into lines and every line into tokens by one regular expression; a token is a plain string, and its
first character tells its kind. Positions are not stored: the line of a token follows from the index of the first token
of every line, the column by cutting that line again, which only diagnostics and the first token of an operation need.

A simple shaped type (`tensor<2x?xf32>`) is one token, so that the parser can look it up in a table.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from typing import NoReturn, cast

from tesselle.support.diagnostics import Note, ParseError
from tesselle.support.locations import FileLocation

TOKEN = re.compile(
    r"""
      %[\w$.-]+(?:\#\d+)?                                       # a value, perhaps one result of several
    | [,()\[\]=}]                                               # frequent punctuation
    | (?:tensor|vector|memref)<[^<>"]*(?:<[^<>"]*>[^<>"]*)*>    # a shaped type without strings or deep nesting
    | [A-Za-z_][\w$]*(?:\.[\w$]+)*                              # a word: keyword, operation, type
    | -?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*(?:[eE][-+]?\d+)?|[eE][-+]?\d+)?)    # a number
    | "[^"\\]*(?:\\.[^"\\]*)*"                                  # a string
    | @(?:"[^"\\]*(?:\\.[^"\\]*)*"|[\w$.-]+)                    # a symbol
    | \^[\w$.-]+                                                # a block
    | [\#!][A-Za-z_][\w$.-]*                                    # an alias, or an attribute or type of a dialect
    | //.*                                                      # a comment
    | -> | :: | \{-\# | \#-\} | [^\s\w]
    """,
    re.VERBOSE,
)

_find_tokens = TOKEN.findall
_indent = cast("Callable[[str], re.Match[str]]", re.compile(r"\s*").match)


class Lexer:
    """The tokens of a text, and what is said about their places.

    `tokens` ends with empty strings. `pos` is the index of the token that is read next.
    """

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        tokens: list[str] = []
        firsts: list[int] = []
        for line in self.lines:
            firsts.append(len(tokens))
            found = _find_tokens(line)
            if "//" in line:
                found = [t for t in found if not t.startswith("//")]
            tokens += found
        self._count = len(tokens)
        tokens += [""] * 4  # so that looking ahead needs no care
        self.tokens = tokens
        self.pos = 0
        self._firsts = firsts
        self._measured: tuple[int, list[int]] = (-1, [])

    # ------------------------------------------------------------------------------------------ places

    def line_of(self, index: int) -> int:
        """The line of token `index`, counted from one."""
        return bisect_right(self._firsts, index)

    def offset_in_line(self, index: int) -> tuple[int, int]:
        """The line of token `index` counted from zero, and its offset in that line."""
        if index >= self._count:
            return len(self.lines) - 1, len(self.lines[-1])
        line = bisect_right(self._firsts, index) - 1
        wanted = index - self._firsts[line]
        text = self.lines[line]
        if wanted == 0:
            return line, len(text) - len(text.lstrip())
        offsets = self._offsets_in(line)
        return line, offsets[wanted] if wanted < len(offsets) else len(text)

    def _offsets_in(self, line: int) -> list[int]:
        """Where the tokens of a line begin. Questions about a long line come one after the other: it is remembered."""
        if self._measured[0] != line:
            starts = [m.start() for m in TOKEN.finditer(self.lines[line]) if not m[0].startswith("//")]
            self._measured = line, starts
        return self._measured[1]

    def place(self, index: int) -> FileLocation:
        """Where token `index` stands."""
        line = bisect_right(self._firsts, index)
        if self._firsts[line - 1] == index < self._count:
            return FileLocation(self.file, line, _indent(self.lines[line - 1]).end() + 1)
        line, offset = self.offset_in_line(index)
        return FileLocation(self.file, line + 1, offset + 1)

    def text_between(self, first: int, last: int) -> str:
        """The text from token `first` to the end of token `last - 1`, on one line."""
        line, start = self.offset_in_line(first)
        end_line, end = self.offset_in_line(last - 1)
        end += len(self.tokens[last - 1])
        if line == end_line:
            return self.lines[line][start:end]
        return " ".join([self.lines[line][start:], *self.lines[line + 1 : end_line], self.lines[end_line][:end]])

    # ------------------------------------------------------------------------------------------ errors

    def fail(self, message: str, index: int | None = None, note: Note | None = None) -> NoReturn:
        """Raise ParseError at token `index`, or at the next one."""
        raise ParseError(message, self.place(self.pos if index is None else index), notes=[note] if note else [])

    def unexpected(self, expected: str, index: int | None = None) -> NoReturn:
        """Raise ParseError that says what was expected at token `index` and what stands there."""
        at = self.pos if index is None else index
        self.fail(f"expected {expected}, found {describe(self.tokens[at])}", at)

    # ------------------------------------------------------------------------------------------ reading

    @property
    def token(self) -> str:
        """The next token; empty at the end of the text."""
        return self.tokens[self.pos]

    def accept(self, token: str) -> bool:
        """Go past the next token if it is `token`."""
        if self.tokens[self.pos] == token:
            self.pos += 1
            return True
        return False

    def expect(self, token: str) -> None:
        """Go past the next token, which must be `token`."""
        if self.tokens[self.pos] != token:
            self.unexpected(f"'{token}'")
        self.pos += 1

    def expect_all(self, *tokens: str) -> None:
        for token in tokens:
            self.expect(token)

    def word(self, what: str = "a word") -> str:
        """The next token, which must be a bare word."""
        token = self.tokens[self.pos]
        if not (token[:1].isalpha() or token[:1] == "_"):
            self.unexpected(what)
        self.pos += 1
        return token

    def integer(self) -> int:
        """The next token as an integer, decimal or hexadecimal."""
        token = self.tokens[self.pos]
        if token == "-":
            self.pos += 1
            return -self.integer()
        value = parse_integer(token)
        if value is None:
            self.unexpected("an integer")
        self.pos += 1
        return value

    def string(self) -> str:
        """The next token as the text of a string."""
        token = self.tokens[self.pos]
        if token[:1] != '"' or len(token) < 2:
            if token == '"':
                self.fail("unterminated string")
            self.unexpected("a string")
        self.pos += 1
        return unescape(token[1:-1])

    def symbol(self) -> str:
        """The next token as the name of a symbol, without `@`."""
        token = self.tokens[self.pos]
        if token[:1] != "@" or len(token) < 2:
            if token == "@" and self.tokens[self.pos + 1] == '"':
                self.fail("unterminated string")
            self.unexpected("a symbol")
        self.pos += 1
        return unescape(token[2:-1]) if token[1] == '"' else token[1:]


def describe(token: str) -> str:
    """A token as messages quote it."""
    if not token:
        return "the end of the text"
    if token == '"':
        return "an unterminated string"
    return f"'{token if len(token) <= 60 else token[:57] + '...'}'"


def parse_integer(token: str) -> int | None:
    """The value of a decimal or hexadecimal integer token of at most 128 bits; None when it is none."""
    if len(token) > 40:
        return None
    try:
        return int(token)
    except ValueError:
        pass
    try:
        return int(token, 16) if token[:3].lower().lstrip("-").startswith("0x") else None
    except ValueError:
        return None


_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{2})|(n)|(t)|(.))", re.DOTALL)


def unescape(text: str) -> str:
    """The characters that the inside of an MLIR string stands for; hexadecimal escapes are bytes of UTF-8."""
    if "\\" not in text:
        return text
    out = bytearray()
    at = 0
    for m in _ESCAPE.finditer(text):
        out += text[at : m.start()].encode()
        if m[1]:
            out.append(int(m[1], 16))
        else:
            out += b"\n" if m[2] else b"\t" if m[3] else m[4].encode()
        at = m.end()
    out += text[at:].encode()
    return out.decode("utf-8", errors="surrogateescape")


_PLAIN = re.compile(r"[ !#-\[\]-~]*")


def escape(text: str) -> str:
    """`text` inside quotes, so that `unescape` gives it back."""
    if _PLAIN.fullmatch(text):
        return text
    out: list[str] = []
    for byte in text.encode("utf-8", errors="surrogateescape"):
        char = chr(byte)
        if char == "\\":
            out.append("\\\\")
        elif 32 <= byte < 127 and char != '"':
            out.append(char)
        else:
            out.append(f"\\{byte:02X}")
    return "".join(out)
