"""The page of the virtual machine's instructions, from the table that everybody reads."""

from __future__ import annotations

import inspect

from tesselle.artifact import vm_isa
from tesselle.artifact.vm_isa import INSTRUCTIONS, Instruction, Parameter


def page() -> str:
    """Markdown of the bytecode page."""
    rows = "\n".join(_row(i) for i in INSTRUCTIONS)
    return f"""# Bytecode

{inspect.getdoc(vm_isa)}

| opcode | instruction | operands | results | meaning |
|---:|---|---|---|---|
{rows}
"""


def _row(i: Instruction) -> str:
    cells = (f"`{i.opcode:#06x}`", f"`{i.name}`", _parameters(i.operands), _parameters(i.results), i.description)
    return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"


def _parameters(parameters: tuple[Parameter, ...]) -> str:
    return ", ".join(f"{p.name}: {p.kind.name.lower()}" for p in parameters)
