"""A process of its own: `python make_checkpoints.py FOLDER` writes checkpoints with TensorFlow, and `tensors.npz`.

`plain`: every element type, a scalar, an empty tensor, a string. `sliced`: partitioned tensors, in two shards. `many`:
so many tensors that the index has several blocks.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

TYPES = (
    "float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool complex64 complex128"
    " float8_e5m2 float8_e4m3fn"
).split()


def save(prefix: Path, tensors: dict[str, Any], slices: dict[str, str] | None = None) -> None:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = [n.partition("|")[0] for n in tensors]
    wheres = [(slices or {}).get(n, "") for n in tensors]
    values = [tf.constant(t) for t in tensors.values()]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=wheres, tensors=values)


def main(folder: Path) -> None:
    rng = np.random.default_rng(0)
    plain: dict[str, Any] = {
        t: tf.cast(rng.integers(0, 2, (3, 5)) if t == "bool" else rng.normal(size=(3, 5)) * 9, t) for t in TYPES
    }
    plain |= {"scalar": tf.constant(3.5), "empty": tf.zeros((0, 4)), "large": tf.constant(rng.normal(size=(70_000,)))}
    save(folder / "plain" / "c", {**plain, "string": tf.constant("hello \0 world"), "strings": tf.constant(["a", "b"])})
    rows, grid = rng.normal(size=(10, 6)).astype("f"), rng.integers(0, 9, (300, 200))
    save(
        folder / "shard0" / "c",
        {"rows|0": rows[:4], "rows|1": rows[4:], "grid|0": grid[:, :100]},
        {"rows|0": "10 6 0,4:-", "rows|1": "10 6 4,6:0,6", "grid|0": "300 200 0,300:0,100"},
    )
    save(
        folder / "shard1" / "c",
        {"grid|1": grid[:, 100:], "part|0": rows[:2]},
        {"grid|1": "300 200 0,300:100,100", "part|0": "10 6 0,2:-"},
    )
    (folder / "sliced").mkdir()
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(folder / f"shard{i}" / "c") for i in range(2)],
        destination_prefix=str(folder / "sliced" / "c"),
    )
    many = {f"layer_{i // 10}/variable/{i}": rng.normal(size=(2,)) for i in range(20_000)}
    save(folder / "many" / "c", many)
    known = {k: v.numpy() for k, v in plain.items()} | {"rows": rows, "grid": grid}
    known |= {k: many[k] for k in list(many)[::1999]}
    # NumPy's files know the types that ml_dtypes adds as bytes only.
    np.savez(folder / "tensors.npz", **{k: np.frombuffer(v.tobytes(), np.uint8) for k, v in known.items()})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
