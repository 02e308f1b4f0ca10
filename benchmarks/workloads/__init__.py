"""Workloads that Tesselle and its peers run side by side: `python -m benchmarks.workloads` (`make bench`).

`base` says what a workload is; `products`, `convnets`, `transformers`, `recurrent` and `streams` hold them, and
`catalogue` lists them. `peers` says how Tesselle, JAX, PyTorch, ONNX Runtime and OpenVINO load and call one. `worker`
is the process that each of them runs in, `run` takes turns over the workers, `results` is what came out, and `report`,
`chart` and `show` show it.

Nothing is imported here: a worker keeps to its cores before the libraries that it measures size their pools by them.
"""
