"""Decode with a transformer of the shape of GPT-2 small, whose cache of keys and values is the state of a session.

    python examples/gpt2_decode/decode.py [--prompt 64] [--tokens 64] [--threads 2]

The weights are random, so the text is none; what counts is that every logit is what the whole text gives without a
cache (checked against JAX, exit code 1 where it is not), and how many tokens come out in a second, beside PyTorch's
where that is installed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

import tesselle as ts
from tesselle.cli.console import format_bytes, format_seconds, table
from tesselle.cli.progress import compile_progress
from torch_decoder import torch_decoder
from transformer import Config, decoder, forward, random_state

TOLERANCE = 1e-3
"""Largest difference of a logit; logits are of order 1, sums of 768 products."""

Tokens = np.ndarray[Any, np.dtype[np.int32]]
Extend = Callable[[Tokens, int], np.ndarray[Any, np.dtype[np.float32]]]


def session_decoder(session: ts.Session) -> Extend:
    """extend(tokens, position) of a session, which knows the position itself."""
    step, prefill = session["step"], session["prefill"]
    return lambda tokens, position: step(tokens) if len(tokens) == 1 else prefill(tokens)


def generate(extend: Extend, prompt: Tokens, count: int, description: str, console: Console) -> tuple[Tokens, float]:
    """The prompt with `count` tokens behind it, each the likeliest; and the tokens in a second behind the prompt."""
    text = list(prompt)
    logits = extend(prompt, 0)
    started = time.perf_counter()
    for _ in track(range(count), description, console=console, transient=True):
        text.append(np.int32(np.argmax(logits)))
        logits = extend(np.array(text[-1:], np.int32), len(text) - 1)
    return np.array(text, np.int32), count / (time.perf_counter() - started)


def largest_difference(config: Config, params: Any, session: ts.Session, text: Tokens) -> float:
    """Of the logits at several lengths of a text, each from a fresh session's cache, and JAX's for the whole text."""
    expected = np.asarray(jax.jit(lambda params, text: forward(config, params, text))(params, text))
    worst = 0.0
    for length in sorted({1, 2, len(text) // 2, len(text)}):
        session.reset()
        extend = session_decoder(session)
        half = length // 2
        if half:
            extend(text[:half], 0)
        for i in range(half, length):
            logits = extend(text[i : i + 1], i)
            worst = max(worst, float(np.abs(logits - expected[i]).max()))
    return worst


def main() -> int:
    """Run the example; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompt", type=int, default=64, help="tokens that are read at once")
    parser.add_argument("--tokens", type=int, default=64, help="tokens that are decoded")
    parser.add_argument("--threads", type=int, default=2, help="threads of the device, and of PyTorch")
    parser.add_argument("--output", type=Path, default=Path("build/gpt2_decode.tsl"), help="where the artifact goes")
    arguments = parser.parse_args()
    config = Config()
    if arguments.prompt < 2 or arguments.prompt + arguments.tokens > config.capacity:
        parser.error(f"--prompt is at least 2, and with --tokens at most {config.capacity}")
    console = Console(highlight=False)

    with console.status("Drawing the weights and tracing with JAX…"):
        state = random_state(config)
        module = decoder(config, state)
    started = time.perf_counter()
    with compile_progress(Console(stderr=True)) as progress:
        artifact = ts.compile(module, progress=progress)
    compile_s = time.perf_counter() - started
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    artifact.save(arguments.output)

    program = ts.load(arguments.output, device=f"cpu:threads={arguments.threads}")
    prompt = np.random.default_rng(1).integers(0, config.vocabulary, arguments.prompt, np.int32)
    text, tokens_per_s = generate(session_decoder(program.new_session()), prompt, arguments.tokens, "Tesselle", console)
    rows = [("Tesselle", tokens_per_s)]
    try:
        peer = torch_decoder(config, state["params"], arguments.threads)
    except ImportError:
        console.print("PyTorch is not installed: it is left out")
    else:
        rows.append(("PyTorch", generate(peer, prompt, arguments.tokens, "PyTorch", console)[1]))
    with console.status("Comparing with JAX without a cache…"):
        difference = largest_difference(config, state["params"], program.new_session(), text)

    result = table("decoding", "tokens/s", right=("tokens/s",))
    for name, speed in rows:
        result.add_row(name, f"{speed:.1f}")
    console.print(result)
    agrees = difference <= TOLERANCE
    console.print(
        f"largest difference from JAX  {difference:.2e} of logits, {'within' if agrees else 'above'} {TOLERANCE:g}"
    )
    console.print(f"compile time                 {format_seconds(compile_s)}")
    console.print(f"artifact                     {arguments.output}, {format_bytes(arguments.output.stat().st_size)}")
    return 0 if agrees else 1


if __name__ == "__main__":
    sys.exit(main())
