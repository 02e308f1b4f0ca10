"""The pages and pictures that are generated from the code."""

from __future__ import annotations

import generate_bytecode
import generate_commands
import generate_element_types
import generate_numerics
import generate_operations
import generate_passes
import generate_pipeline
from tesselle.artifact.vm_isa import INSTRUCTIONS
from tesselle.cli.opt import documentation_of
from tesselle.codegen.llvm.vector_math import FUNCTIONS
from tesselle.compiler.pipeline import PHASES, PipelineOptions
from tesselle.ir.declare import OPS
from tesselle.support.dtypes import DTYPES


def test_the_picture_of_the_pipeline() -> None:
    """When this fails: `.venv/bin/python docs/generate_pipeline.py`."""
    assert generate_pipeline.PICTURE.read_text() == generate_pipeline.picture()


def test_the_pages_name_everything() -> None:
    operations, passes = generate_operations.page(), generate_passes.page()
    assert all(f"| `{name}` |" in operations for name in OPS)
    assert all(f"## {p.NAME}\n" in passes for phase in PHASES for p in phase.passes(PipelineOptions()))
    assert all(f"| `{i.name}` |" in generate_bytecode.page() for i in INSTRUCTIONS)
    assert all(f"| `{name}` |" in generate_numerics.page() for name in FUNCTIONS)
    element_types = generate_element_types.page()
    assert all(f"| `{d}` |" in element_types for d in DTYPES.values() if not d.is_index)
    assert "commands/compile.md" in generate_commands.pages()


def test_every_pass_says_what_it_does() -> None:
    for phase in PHASES:
        for p in phase.passes(PipelineOptions()):
            assert documentation_of(type(p)), f"{p.NAME} has no docstring"
