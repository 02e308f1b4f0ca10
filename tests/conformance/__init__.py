"""Conformance: every case of JAX's own primitive harness, compiled by Tesselle and compared with XLA on the CPU.

    python -m tests.conformance --jobs 2                     # all of it, a report in build/conformance/
    python -m tests.conformance --group gather --group fft   # some groups
    python -m tests.conformance --filter 'dtype=bfloat16'    # names that match a regular expression
    python -m tests.conformance --sample 300                 # a fixed sample, spread over all groups
    python -m tests.conformance --form batched               # with a leading dimension of dynamic size

| file | what it holds |
|---|---|
| `cases` | the cases: names, groups, the order and the samples |
| `evaluation` | one case, from JAX function to outcome |
| `equivalence`, `comparison`, `tolerances` | when two results agree |
| `shards` | the processes that evaluate cases, and what happens when one dies or hangs |
| `report` | Markdown, JSON and the table of the terminal |
| `expected_failures` | the cases that do not agree, each with its reason |
"""
