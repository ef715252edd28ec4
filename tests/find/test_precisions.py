"""A small part of the zoo in every precision and mode: found and verified, and nothing raw comes out.

The whole of it is `python -m tests.find.test_precisions`.
"""

import sys
import warnings
from collections.abc import Iterator

import pytest
import torch

from parasym.core import InternalWarning, SymmetryError
from parasym.find import find
from parasym.functional import example_call
from parasym.verify import verify
from parasym.zoo import ZOO
from parasym.zoo.entry import Entry

MODES = {"bfloat16": (torch.bfloat16, False), "float16": (torch.float16, False), "train": (torch.float32, True)}


def outcome(entry: Entry, mode: str) -> str:
    """What comes of a model of the zoo in another precision or mode; empty if all is well."""
    dtype, train = MODES[mode]
    torch.manual_seed(0)
    model = entry.model().to(dtype).train(train or entry.train)
    call = example_call(entry.inputs(torch.Generator().manual_seed(0)), model=model).to(dtype=dtype)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InternalWarning)
            symmetry = find(model, call, check=True)
        report = verify(model, symmetry, call, samples=1, complete=False)
    except SymmetryError as error:
        return f"refused: {error}"
    refuted = ", ".join(map(str, symmetry.refuted))
    return f"refuted: {refuted}" if refuted else "" if report.holds == "yes" else f"verify says {report.holds}"


@pytest.mark.parametrize("mode", MODES)
def test_a_tenth_of_the_zoo(mode: str) -> None:
    some = ZOO[list(MODES).index(mode) :: 12]
    assert len(some) >= len(ZOO) // 12
    assert {entry.name: said for entry in some if (said := outcome(entry, mode))} == {}


def every() -> Iterator[tuple[str, str, str]]:
    for entry in ZOO:
        for mode in MODES:
            yield entry.name, mode, outcome(entry, mode)


if __name__ == "__main__":
    for name, mode, said in every():
        sys.stdout.write(f"{name:30} {mode:10} {said}\n")
