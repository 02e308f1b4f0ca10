"""Compile all-MiniLM-L6-v2 with Tesselle, embed a few sentences, and hold every number against JAX's own.

    python examples/minilm/demo.py [--output minilm.tsl] [--length 32] [--target-cpu host]

Exit code 1 when an embedding differs from JAX's by more than 1e-4.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

import tesselle as ts
from model import load_model
from tesselle.cli.console import format_bytes, format_seconds
from tesselle.cli.progress import compile_progress

TOLERANCE = 1e-4

SENTENCES = [
    "The chef prepared a delicious meal for the guests.",
    "A cook made tasty food for the visitors.",
    "Stock markets fell sharply after the announcement.",
    "Shares dropped once the news came out.",
    "The cat sleeps on the warm windowsill.",
    "A kitten is napping in the sun.",
    "Compilers translate programs into machine code.",
]


def main() -> int:
    """Run the demo; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("minilm.tsl"), help="where the artifact goes")
    parser.add_argument("--length", type=int, default=32, help="tokens per sentence; longer sentences are cut")
    parser.add_argument("--target-cpu", default="host", help="host, x86-64-v3, x86-64-v4 or generic")
    arguments = parser.parse_args()
    console = Console(highlight=False)

    with console.status("Reading the model…"):
        model = load_model()
        ids, mask = model.tokenize(SENTENCES, arguments.length)
    with console.status("Exporting from JAX to StableHLO…"):
        embed = jax.jit(model.embed)
        lowered = embed.lower(ids[:1], mask[:1])

    started = time.perf_counter()
    with compile_progress(Console(stderr=True)) as progress:
        artifact = ts.compile(
            lowered, targets=["cpu"], options=ts.CompileOptions(target_cpu=arguments.target_cpu), progress=progress
        )
    compile_s = time.perf_counter() - started
    artifact.save(arguments.output)

    program = ts.load(arguments.output)
    main_function = program["main"]
    embeddings = np.concatenate([main_function(ids[i : i + 1], mask[i : i + 1]) for i in range(len(SENTENCES))])
    expected = np.concatenate([np.asarray(embed(ids[i : i + 1], mask[i : i + 1])) for i in range(len(SENTENCES))])
    difference = float(np.abs(embeddings - expected).max())

    # The median of many calls on one sentence, each of the two warm.
    tesselle_s = median_s(lambda: main_function(ids[:1], mask[:1]))
    jax_s = median_s(lambda: embed(ids[:1], mask[:1]).block_until_ready())

    console.print(similarity_table(embeddings))
    facts = Table.grid(padding=(0, 3))
    agrees = difference <= TOLERANCE
    verdict = "[green]within[/green]" if agrees else "[bold red]above[/bold red]"
    facts.add_row("largest difference from JAX", f"{difference:.2e}, {verdict} {TOLERANCE:g}")
    facts.add_row("compile time", format_seconds(compile_s))
    facts.add_row("per sentence", f"{format_seconds(tesselle_s)} (JAX: {format_seconds(jax_s)})")
    facts.add_row("artifact", f"{arguments.output}, {format_bytes(arguments.output.stat().st_size)}")
    console.print(facts)
    if not agrees:
        console.print("[bold red]error:[/bold red] the embeddings are not JAX's")
        return 1

    folder = Path("minilm-inputs")
    folder.mkdir(exist_ok=True)
    np.save(folder / "ids.npy", ids[:1])
    np.save(folder / "mask.npy", mask[:1])
    np.save(folder / "embedding.npy", expected[:1])
    command = Path(sys.executable).with_name("tesselle")
    shown = command.relative_to(Path.cwd()) if command.is_relative_to(Path.cwd()) else command
    inputs = f"--input @{folder}/ids.npy --input @{folder}/mask.npy"
    console.print("\nTry next:")
    for line in (
        f"run {arguments.output} {inputs} --expected @{folder}/embedding.npy --tolerance 1e-4",
        f"dump {arguments.output}",
        f"bench {arguments.output} {inputs}",
    ):
        console.print(f"  {shown} {line}", soft_wrap=True)
    return 0


def median_s(call: Callable[[], object], budget_s: float = 1.0) -> float:
    """Median seconds of `call`, called for about `budget_s`."""
    times: list[float] = []
    end = time.perf_counter() + budget_s
    while len(times) < 5 or time.perf_counter() < end:
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def similarity_table(embeddings: NDArray[np.float32]) -> Table:
    """Cosine similarities of all pairs, the redder the closer."""
    similarity = embeddings @ embeddings.T
    table = Table(title="Cosine similarity", title_justify="left", header_style="bold", padding=(0, 1))
    table.add_column("", justify="right", style="dim")
    table.add_column("sentence")
    for i in range(len(embeddings)):
        table.add_column(str(i + 1), justify="right")
    for i, sentence in enumerate(SENTENCES):
        cells = [cell(float(s)) for s in similarity[i]]
        table.add_row(str(i + 1), sentence, *cells)
    return table


def cell(similarity: float) -> Text:
    """A number on a ground from dark (unlike) to bright (alike)."""
    warmth = min(max(similarity, 0.0), 1.0)
    red, green, blue = int(30 + 200 * warmth), int(30 + 60 * warmth), int(60 - 20 * warmth)
    return Text(f"{similarity:5.2f}", style=f"white on rgb({red},{green},{blue})")


if __name__ == "__main__":
    sys.exit(main())
