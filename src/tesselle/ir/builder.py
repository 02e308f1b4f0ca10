"""The builder: creates operations at a place, with a location."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeVar

from tesselle.ir.core import Block, Op
from tesselle.support.locations import UNKNOWN, Location

OpT = TypeVar("OpT", bound=Op)


class Builder:
    """Inserts operations before `before` in `block`, or at the block's end when that is None.

    Operations without a location of their own get the builder's.
    """

    def __init__(self, block: Block, before: Op | None = None, location: Location = UNKNOWN) -> None:
        self.block = block
        self.before = before
        self.location = location

    @staticmethod
    def at_end(block: Block, location: Location = UNKNOWN) -> Builder:
        return Builder(block, None, location)

    @staticmethod
    def before_op(op: Op) -> Builder:
        """Insert in front of `op`, with its location."""
        assert op.parent is not None
        return Builder(op.parent, op, op.location)

    @staticmethod
    def after_op(op: Op) -> Builder:
        assert op.parent is not None
        return Builder(op.parent, op.next, op.location)

    def insert(self, op: OpT) -> OpT:
        """Insert `op` and return it."""
        if op.location is UNKNOWN:
            op.location = self.location
        self.block.insert(op, self.before)
        return op

    @contextmanager
    def at(self, block: Block, before: Op | None = None) -> Generator[None, None, None]:
        """Insert elsewhere for the duration of a `with`."""
        saved = self.block, self.before
        self.block, self.before = block, before
        try:
            yield
        finally:
            self.block, self.before = saved

    @contextmanager
    def located(self, location: Location) -> Generator[None, None, None]:
        """Use another location for the duration of a `with`."""
        saved = self.location
        self.location = location
        try:
            yield
        finally:
            self.location = saved
