"""The page of all passes, from their registry."""

from __future__ import annotations

import inspect

from tesselle.cli.opt import import_passes
from tesselle.ir.passes import PASSES, Fact, Pass
from tesselle.support.options import option_fields


def page() -> str:
    """Markdown of the passes page."""
    import_passes()
    facts = "\n".join(f"| `{f.name}` | {f.value} |" for f in Fact)
    sections = "\n".join(_section(name, cls) for name, cls in sorted(PASSES.items()))
    return f"""# Passes

`tesselle opt --pass NAME file.mlir` runs a pass by itself. A pass says which facts about the IR it needs, gives and
breaks; the pipeline checks that every need is met.

| fact | what holds |
|---|---|
{facts}

{sections}
"""


def _section(name: str, cls: type[Pass]) -> str:
    lines = [f"## {name}", "", inspect.getdoc(cls) or "", ""]
    for title, facts in (("Needs", cls.NEEDS), ("Gives", cls.GIVES), ("Breaks", cls.BREAKS)):
        if facts:
            lines += [f"{title}: {', '.join(f'`{f.name}`' for f in sorted(facts, key=lambda f: f.name))}.", ""]
    options = option_fields(cls)
    if options:
        lines += ["| option | default | |", "|---|---|---|"]
        lines += [f"| `{f.name}` | `{f.default}` | {f.help} |" for f in options]
        lines.append("")
    return "\n".join(lines)
