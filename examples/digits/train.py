"""Train a classifier of handwritten digits with a training step that Tesselle compiled: forward, backward and Adam.

    python examples/digits/train.py [--epochs 40] [--output build/digits] [--no-comparison]

The weights are variables of a session, updated in place. Into the output folder go the artifact, the trained session
as safetensors and a plot of the loss. Exit code 1 when fewer than 97 % of the test images are recognised, or when the
saved session does not predict what the trained one does. Then the step is timed beside JAX's and TensorFlow's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tesselle as ts
from perceptron import BATCH, classifier, initial_state
from tesselle.cli.console import format_bytes, format_seconds
from tesselle.cli.progress import compile_progress

WANTED_ACCURACY = 0.97

Images = NDArray[np.float32]
Labels = NDArray[np.int32]


@dataclass(frozen=True)
class Digits:
    """Images [image, pixel] of values 0 … 16, and what they show; a fifth of them is for testing."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels


def load_data() -> Digits:
    bunch: Any = load_digits()
    images, labels = bunch.data.astype(np.float32), bunch.target.astype(np.int32)
    train, test = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    return Digits(images[train], labels[train], images[test], labels[test])


def batches(digits: Digits, epoch: int) -> Iterator[tuple[Images, Labels]]:
    """The training images of one epoch, shuffled, in whole batches."""
    order = np.random.default_rng(epoch).permutation(len(digits.train_labels))
    for i in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[i : i + BATCH]
        yield digits.train_images[chosen], digits.train_labels[chosen]


def accuracy(session: ts.Session, digits: Digits) -> float:
    """The part of the test images that the session recognises."""
    return float(np.mean(session["predict"](digits.test_images) == digits.test_labels))


def train(session: ts.Session, digits: Digits, epochs: int, console: Console) -> list[float]:
    """Train for some epochs; the loss of every step."""
    losses: list[float] = []
    columns = (
        TextColumn("[bold]epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  test accuracy {task.fields[accuracy]:.1%}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=epochs, loss=float("nan"), accuracy=accuracy(session, digits))
        step = session["train"]
        for epoch in range(epochs):
            losses.extend(float(step(images, labels)) for images, labels in batches(digits, epoch))
            progress.update(task, advance=1, loss=losses[-1], accuracy=accuracy(session, digits))
    return losses


def main() -> int:
    """Run the example; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40, help="how often every training image is seen")
    parser.add_argument("--output", type=Path, default=Path("build/digits"), help="folder of what is written")
    parser.add_argument("--no-comparison", action="store_true", help="do not time the step beside JAX and TensorFlow")
    arguments = parser.parse_args()
    console = Console(highlight=False)
    folder: Path = arguments.output
    folder.mkdir(parents=True, exist_ok=True)

    digits = load_data()
    state = initial_state()
    with compile_progress(Console(stderr=True)) as progress:
        artifact = ts.compile(classifier(state), progress=progress)
    artifact.save(folder / "digits.tsl")

    program = ts.load(folder / "digits.tsl")
    session = program.new_session()
    started = time.perf_counter()
    losses = train(session, digits, arguments.epochs, console)
    trained_s = time.perf_counter() - started
    reached = accuracy(session, digits)

    saved = folder / "session.safetensors"
    session.save(saved)
    reloaded = program.new_session()
    reloaded.load(saved)
    predictions = session["predict"](digits.test_images)
    same = bool(np.array_equal(predictions, reloaded["predict"](digits.test_images)))

    plot = plot_losses(losses, folder / "loss.png")
    good = reached >= WANTED_ACCURACY
    for line in (
        f"loss      {sparkline(losses, 60)} {losses[0]:.3f} → {losses[-1]:.4f}",
        f"training  {len(losses)} steps of {BATCH} images in {format_seconds(trained_s)}",
        f"session   {saved}, {format_bytes(saved.stat().st_size)}; reloaded, it predicts the same: {same}",
        f"plot      {plot}" if plot else "plot      left out: matplotlib is not installed",
        f"[bold{'' if good else ' red'}]accuracy  {reached:.2%}[/] of {len(predictions)} test images",
    ):
        console.print(line, soft_wrap=True)
    if not arguments.no_comparison:
        from compare import compare_steps

        console.print(compare_steps(program, state, next(batches(digits, 0)), console))
    return 0 if good and same else 1


def plot_losses(losses: list[float], path: Path) -> Path | None:
    """Draw the loss of every step, and its mean over ten; None where matplotlib is not there."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    axes.plot(losses, color="tab:purple", alpha=0.3, linewidth=0.8)
    axes.plot(np.arange(9, len(losses)), np.convolve(losses, np.full(10, 0.1), "valid"), color="tab:purple")
    axes.set(title="Training digits", xlabel="step", ylabel="cross entropy (nats)", yscale="log")
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def sparkline(values: list[float], width: int) -> str:
    """The means of `width` stretches of the values, as bars of logarithmic height."""
    bars = "▁▂▃▄▅▆▇█"
    means = np.log([float(part.mean()) for part in np.array_split(np.asarray(values), width) if part.size])
    span = float(means.max() - means.min()) or 1.0
    return "".join(bars[round(float(m - means.min()) / span * (len(bars) - 1))] for m in means)


if __name__ == "__main__":
    sys.exit(main())
