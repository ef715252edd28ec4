"""Every benchmark runs at its smallest size; where a peer is missing its row says so."""

import json
import time

import pytest
import torch

from benchmarks import BENCHMARKS
from benchmarks.find_peers import slope
from benchmarks.match_peers import example, pair
from benchmarks.measure import Row, TimeLimitError, save, side_by_side, time_limit
from benchmarks.plain import descend_plainly, permutations_only
from parasym.find import find
from parasym.orbit.objective import gap
from tests.needs import needs

TABLE = {benchmark.name: benchmark for benchmark in BENCHMARKS}


@pytest.mark.parametrize(
    "name",
    [
        "find_peers",
        pytest.param("find_llama", marks=pytest.mark.slow),
        "self_check",
        "find_circuits",
        "noisy_cost",
        "torchani_pairs",
        "population_loop",
        "broken_layer",
    ],
)
def test_tiny(name):
    for package in {"find_llama": ("transformers",), "torchani_pairs": ("torchani", "ase")}.get(name, ()):
        needs(package)
    module = TABLE[name].module
    rows = module.run(module.TINY)
    assert rows
    assert all(row.values or row.note for row in rows), "a row without a number says why"


def test_plain_descent_shortens_the_distance():
    from benchmarks.match_peers import TINY, build

    model = build("mlp", TINY.width)
    symmetry = permutations_only(find(model, (example("mlp"),)))
    a, b = pair("mlp", TINY)
    element = descend_plainly(symmetry, a, b, generator=torch.Generator().manual_seed(0))
    assert gap(a, symmetry.act(element, b)) < gap(a, b)


def test_contenders_that_fail_are_noted_and_ours_is_the_measure():
    def fails():
        raise ValueError("no such layer")

    ours, other, broken = side_by_side("case", {"ours": lambda: sum(range(20000)), "other": lambda: 0, "broken": fails}, n=2)
    assert ours.ratio == 1
    assert len(other.values) == 2
    assert broken.values == ()
    assert broken.note == "ValueError: no such layer"


def _wait() -> None:
    with time_limit(0.05):
        while time.process_time() < 1e6:
            pass


def test_time_limit_cuts_off():
    with pytest.raises(TimeLimitError):
        _wait()


def test_slope_of_a_power_law():
    assert slope([(d, 3.0 * d**2) for d in (4, 8, 16)]) == pytest.approx(2)


def test_rows_are_kept_with_what_they_depend_on(tmp_path):
    save(tmp_path / "x.jsonl", [Row("case", "ours", "CPU seconds", (1.0, 3.0, 2.0))], "python -m benchmarks x")
    (row,) = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert (row["n"], row["min"], row["median"], row["max"]) == (3, 1.0, 2.0, 3.0)
    assert {"python", "torch", "threads", "command"} <= row.keys()
