"""``python -m benchmarks [NAME ...] [--tiny] [--out DIR]``: each benchmark in a process of its own."""

import argparse
import os
import subprocess
import sys
from ast import literal_eval
from dataclasses import replace
from pathlib import Path

from benchmarks._table import BENCHMARKS

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the chosen benchmarks; the exit code is 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(b.name for b in BENCHMARKS)}; all by default"
    )
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: does it run?")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the JSON lines")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="another value for a field of the task")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    unknown = set(chosen.names) - {b.name for b in BENCHMARKS}
    if unknown:
        parser.error(f"unknown benchmark {', '.join(sorted(unknown))}; there are {', '.join(b.name for b in BENCHMARKS)}")
    if chosen.inside:
        return _inside(chosen)
    failed = 0
    for benchmark in BENCHMARKS:
        if not chosen.names or benchmark.name in chosen.names:
            options = ["--tiny"] * chosen.tiny + ["--out", str(chosen.out), *(f"--set={x}" for x in chosen.set)]
            command = [sys.executable, "-m", "benchmarks", "--inside", benchmark.name, *options]
            threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
            failed += subprocess.run(command, env=os.environ | threads, check=False).returncode != 0
    return int(failed > 0)


def _inside(chosen: argparse.Namespace) -> int:
    import torch

    from benchmarks.measure import save, show

    torch.set_num_threads(1)
    for benchmark in BENCHMARKS:
        if benchmark.name in chosen.names:
            module = benchmark.module
            values = {key: literal_eval(value) for key, _, value in (x.partition("=") for x in chosen.set)}
            rows = module.run(replace(module.TINY if chosen.tiny else module.Task(), **values))
            words = ["python -m benchmarks", benchmark.name, *["--tiny"] * chosen.tiny, *(f'--set "{x}"' for x in chosen.set)]
            show(f"{benchmark.name}: {benchmark.target}", rows)
            save(chosen.out / f"{benchmark.name}.jsonl", rows, " ".join(words))
    return 0


if __name__ == "__main__":
    sys.exit(main())
