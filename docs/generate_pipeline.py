"""The picture and the table of the phases, from the pipeline itself.

python docs/generate_pipeline.py        writes docs/pipeline.svg, which the README shows
"""

from __future__ import annotations

import textwrap
from html import escape
from pathlib import Path

from tesselle.compiler.pipeline import PHASES

PICTURE = Path(__file__).with_name("pipeline.svg")

WIDTH = 880
BOX_WIDTH = 190
BOX_HEIGHT = 44
GAP = 22
MARGIN = 24
TEXT_COLUMNS = 92

STYLE = """
  .card { fill: #ffffff; stroke: #d8d4e8 }
  .phase { fill: #efeafc; stroke: #7c5cd6 }
  .end { fill: #4a2fa3; stroke: #4a2fa3 }
  .name { font: 600 14px ui-monospace, Menlo, Consolas, monospace; fill: #2b1b66; text-anchor: middle }
  .end-name { font: 600 14px system-ui, sans-serif; fill: #ffffff; text-anchor: middle }
  .what { font: 13px system-ui, sans-serif; fill: #3c3750 }
  .arrow { stroke: #7c5cd6; stroke-width: 1.5; marker-end: url(#head) }
""".strip("\n")


def table() -> str:
    """Markdown table of the phases."""
    rows = "\n".join(f"| `{p.name}` | {p.summary} |" for p in PHASES)
    return f"| phase | what it leaves behind |\n|---|---|\n{rows}"


def picture() -> str:
    """The phases from top to bottom as SVG, between the source and the artifact."""
    steps = [
        ("StableHLO", "MLIR text, a lowered JAX function", "end"),
        *((p.name, p.summary, "phase") for p in PHASES),
        ("model.tsl", "manifest, host bytecode, executables of every target, constants", "end"),
        ("runtime", "a virtual machine records command buffers; the device runs their dispatches", "end"),
    ]
    height = 2 * MARGIN + len(steps) * BOX_HEIGHT + (len(steps) - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The way of a program through Tesselle</title>",
        f"<style>\n{STYLE}\n</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#7c5cd6"/></marker></defs>',
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10"/>',
    ]
    middle = MARGIN + BOX_WIDTH // 2
    for i, (name, what, kind) in enumerate(steps):
        top = MARGIN + i * (BOX_HEIGHT + GAP)
        if i:
            parts.append(f'<line class="arrow" x1="{middle}" y1="{top - GAP + 2}" x2="{middle}" y2="{top - 2}"/>')
        parts.append(f'<rect class="{kind}" x="{MARGIN}" y="{top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7"/>')
        name_class = "name" if kind == "phase" else "end-name"
        parts.append(f'<text class="{name_class}" x="{middle}" y="{top + 27}">{escape(name)}</text>')
        lines = textwrap.wrap(what, TEXT_COLUMNS)
        first = top + BOX_HEIGHT // 2 + 5 - 9 * (len(lines) - 1)
        for j, line in enumerate(lines):
            x = MARGIN + BOX_WIDTH + 20
            parts.append(f'<text class="what" x="{x}" y="{first + 18 * j}">{escape(line)}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture())
