"""The page of all passes, from their registry."""

from __future__ import annotations

from tesselle.cli.opt import documentation_of, import_passes, options_of
from tesselle.ir.passes import PASSES, Fact, Pass


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
    lines = [f"## {name}", "", documentation_of(cls), ""]
    for title, facts in (("Needs", cls.NEEDS), ("Gives", cls.GIVES), ("Breaks", cls.BREAKS)):
        if facts:
            lines += [f"{title}: {', '.join(f'`{f.name}`' for f in sorted(facts, key=lambda f: f.name))}.", ""]
    options = options_of(cls)
    if options:
        lines += ["| option | default | |", "|---|---|---|"]
        lines += [f"| `{f.name}` | `{f.default}` | {f.help} |" for f in options]
        lines.append("")
    return "\n".join(lines)
