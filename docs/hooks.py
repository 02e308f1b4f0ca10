"""mkdocs hooks: the pages that are generated from the code they describe, anew at every build.

Nothing generated is committed but `pipeline.svg`, which the README shows; a test holds it to the pipeline.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate_bytecode  # noqa: E402  # the generators lie beside this file, which mkdocs does not import as a package
import generate_commands  # noqa: E402  # as above
import generate_element_types  # noqa: E402  # as above
import generate_numerics  # noqa: E402  # as above
import generate_operations  # noqa: E402  # as above
import generate_passes  # noqa: E402  # as above
import generate_pipeline  # noqa: E402  # as above

MARKER = "<!-- generated: phases -->"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    root = HERE.parent
    pages = {
        **generate_commands.pages(),
        "reference/bytecode.md": generate_bytecode.page(),
        "reference/element-types.md": generate_element_types.page(),
        "reference/numerics.md": generate_numerics.page(),
        "reference/operations.md": generate_operations.page(),
        "reference/passes.md": generate_passes.page(),
        "contributing.md": (root / "CONTRIBUTING.md").read_text(),
        "changelog.md": (root / "CHANGELOG.md").read_text(),
    }
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Put the table of phases in its place."""
    return markdown.replace(MARKER, generate_pipeline.table()) if MARKER in markdown else markdown
