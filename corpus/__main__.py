"""``python -m corpus [--write]``: what `find` pins only because no rule knows better, summed over many models.

For every model it is counted how many pins are coarse, how many parameters they may cost a group, how many numbers those
hold, and how many operations have no rule. The sums are kept in ``corpus/coarse.json`` and may only shrink: the exit code is
1 if one has grown, but where an operation has got a rule since. ``--write`` writes what has shrunk, and new models; it refuses
what has grown.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch

from corpus.models import MODELS, Built
from parasym.find import find
from parasym.symmetry import Symmetry

KEPT = Path(__file__).parent / "coarse.json"
COUNTED = ("pins", "parameters", "numbers", "uncovered")
Counts = dict[str, int]


def counts_of(build: Callable[[], Built]) -> Counts:
    """Return what is coarse in a model.

    Args:
        build: Returns the model, its inputs and its keyword inputs.
    """
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        model, args, kwargs = build()
        return counted(find(model, args, kwargs))


def counted(symmetry: Symmetry) -> Counts:
    """Return what is coarse in a symmetry; a parameter that several pins cost counts once.

    Args:
        symmetry: Any symmetry.
    """
    shapes = dict(symmetry.shapes)
    names = {name for pin in symmetry.coarse for name in pin.tensors}
    numbers = sum(torch.Size(shapes[name]).numel() for name in names)
    return dict(zip(COUNTED, (len(symmetry.coarse), len(names), numbers, len(symmetry.uncovered)), strict=True))


def total(rows: Iterable[Counts]) -> Counts:
    """Return the sums over models.

    Args:
        rows: What was counted of each.
    """
    rows = list(rows)
    return {key: sum(row[key] for row in rows) for key in COUNTED}


def grown(rows: Mapping[str, Counts], kept: Mapping[str, Counts]) -> list[str]:
    """Return a line for every model of which something has grown; one that is new should have nothing.

    What had no rule pinned all it touched; with a rule it may be coarse, which is less.

    Args:
        rows: What was counted of each model.
        kept: What was counted before.
    """
    out = []
    for name, row in rows.items():
        before = kept.get(name, dict.fromkeys(COUNTED, 0))
        if row["uncovered"] < before["uncovered"]:
            continue
        more = [f"{key} {before[key]} -> {row[key]}" for key in COUNTED if row[key] > before[key]]
        if more:
            out.append(f"{name}: {', '.join(more)}")
    return out


def read() -> dict[str, Counts]:
    """Return what was counted before."""
    return json.loads(KEPT.read_text())["models"] if KEPT.exists() else {}


def write(rows: Mapping[str, Counts]) -> None:
    """Keep what was counted, together with its sums.

    Args:
        rows: What was counted of each model.
    """
    document = {"total": total(rows.values()), "models": dict(rows)}
    KEPT.write_text(json.dumps(document, indent=1) + "\n")


def _line(name: str, row: Counts) -> str:
    return "".join([name.ljust(44), *(str(row[key]).rjust(12) for key in COUNTED)])


def main() -> int:
    """Count, print and compare; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__)
    parser.add_argument("models", nargs="*", help="names, or parts of names; all if none is given")
    parser.add_argument("--write", action="store_true", help="keep what has shrunk and what is new")
    options = parser.parse_args()
    chosen = [name for name in MODELS if not options.models or any(part in name for part in options.models)]
    print("".join(["model".ljust(44), *(key.rjust(12) for key in COUNTED)]))
    rows = {}
    for name in chosen:
        rows[name] = counts_of(MODELS[name])
        if any(rows[name].values()):
            print(_line(name, rows[name]), flush=True)
    print(_line(f"sum over {len(rows)} models", total(rows.values())))
    kept = read()
    worse = grown({name: row for name, row in rows.items() if name in kept or not options.write}, kept)
    if worse:
        print("grown:", *worse, sep="\n  ")
        return 1
    if options.write:
        write({name: rows.get(name, kept.get(name)) for name in MODELS if name in rows or name in kept})
    return 0


if __name__ == "__main__":
    sys.exit(main())
