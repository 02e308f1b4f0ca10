"""Command-line flags from option dataclasses (see `tesselle.support.options`)."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from tesselle.support.diagnostics import OptionError
from tesselle.support.options import option_fields, parse_options

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
Number = TypeVar("Number", int, float)


def flags_of(options_class: type[Any], *, leave_out: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """A decorator that gives a command a flag for every field of `options_class` but those of `leave_out`.

    Values arrive as text or None, under the names of the fields; `options_from` makes the dataclass of them, so that a
    bad value is reported in the same words on the command line and in a pass pipeline.
    """

    def decorate(command: Command) -> Command:
        for f in reversed([f for f in option_fields(options_class) if f.name not in leave_out]):
            text = f.help
            if f.default not in (None, False, dataclasses.MISSING) and not f.is_flag:
                text += f" [default: {f.default}]"
            if f.is_flag:
                add = click.option(f.flag, f.name, flag_value="true", default=None, help=text)
            elif typing.get_origin(f.type) is typing.Literal:
                add = click.option(f.flag, f.name, metavar="|".join(map(str, typing.get_args(f.type))), help=text)
            else:
                add = click.option(f.flag, f.name, metavar=f.metavar, help=text)
            command = add(command)
        return command

    return decorate


def options_from(options_class: type[T], given: Mapping[str, Any]) -> T:
    """The `options_class` of those entries of `given` that belong to it and are not None.

    Errors: OptionError for a text that is not a value of its field.
    """
    names = {f.name for f in option_fields(options_class)}
    return parse_options(options_class, {k: v for k, v in given.items() if k in names and v is not None})


def positive(flag: str, text: str, kind: type[Number]) -> Number:
    """The number that `text` spells. OptionError, which names `flag`, unless it is one above zero."""
    try:
        value = kind(text)
    except ValueError:
        value = kind(0)
    if not value > 0:
        raise OptionError(f"{flag}: '{text}' is not a positive number")
    return value
