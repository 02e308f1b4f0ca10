"""A shard's process: names of cases come in on standard input, results go out as JSON, one line each.

The argument of the program is the form of the cases.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys

from .cases import Case, harnesses
from .evaluation import Form, evaluate


def main() -> None:
    # XLA, LLVM and the cases themselves may print: the results have a channel of their own.
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    form = Form(sys.argv[1])
    known = harnesses()
    print("ready", file=channel, flush=True)
    for line in sys.stdin:
        name = line.rstrip("\n")
        result = evaluate(Case(name, known[name].group_name), form)
        reply = {
            "outcome": result.outcome.value,
            "reason": result.reason,
            "seconds": dataclasses.asdict(result.seconds),
        }
        print(json.dumps(reply), file=channel, flush=True)


if __name__ == "__main__":
    main()
