"""The merging study on a tiny setting, and what makes it fail."""

from dataclasses import replace

import pytest
import torch

from parasym.core import BadInputError
from parasym.studies import ARCHITECTURES, Merging, MergingTask, Score, run_merging

ReLU, _, CONVOLUTIONAL = ARCHITECTURES


@pytest.fixture(scope="module")
def found() -> Merging:
    return run_merging(MergingTask(ReLU, (0, 1, 2), points=5, width=48, epochs=12))


def test_the_symmetry_is_the_one_derived_by_hand(found: Merging) -> None:
    kinds = sorted((type(f.group).__name__, f.wire.size) for f in found.symmetry.factors)
    assert kinds == [("Permutation", 48)] * 3 + [("PositiveScaling", 48)] * 3
    assert found.report.holds == found.narrow_report.holds == "yes"
    assert found.narrow_report.completeness is not None
    assert found.narrow_report.completeness.explained == found.narrow_report.completeness.nullity == 3 * ReLU.narrow


def test_networks_learn_and_matching_helps(found: Merging) -> None:
    assert min(n.test.accuracy for n in found.networks) > 0.9
    assert len(found.pairs) == 3
    for pair in found.pairs:
        assert pair.matched_distance < pair.distance
        assert pair.matched_midpoint.loss < pair.naive_midpoint.loss
    assert found.matched_all.loss < found.naive_all.loss
    assert found.holds


def test_the_moved_network_is_the_same_function(found: Merging) -> None:
    model = ReLU.build(48)
    x = torch.randn(9, 64)
    before = torch.func.functional_call(model, found.second, (x,))
    after = torch.func.functional_call(model, found.second_matched, (x,))
    torch.testing.assert_close(before, after, rtol=1e-3, atol=1e-4)


def test_the_ends_of_both_segments_are_the_networks(found: Merging) -> None:
    for pair, segment in [(p, s) for p in found.pairs for s in (p.naive, p.matched)]:
        ends = [next(n for n in found.networks if n.seed == seed) for seed in pair.seeds]
        assert segment.accuracy[0] == pytest.approx(ends[0].test.accuracy)
        assert segment.loss[-1] == pytest.approx(ends[1].test.loss, rel=1e-3)


def test_it_fails_if_matching_is_no_better_or_the_proof_fails(found: Merging) -> None:
    assert not replace(found, matched_all=Score(found.naive_all.loss + 1, 0.0)).holds
    assert not replace(found, report=replace(found.report, holds="no")).holds
    assert not replace(found, narrow_report=replace(found.narrow_report, holds="unsure")).holds
    swapped = tuple(replace(p, naive=p.matched, matched=p.naive) for p in found.pairs)
    assert not replace(found, pairs=swapped).holds


def test_a_convolutional_network_with_statistics() -> None:
    found = run_merging(MergingTask(CONVOLUTIONAL, (0, 1), points=3, width=6, epochs=4))
    assert found.report.holds == "yes"
    assert found.pairs[0].matched_midpoint.loss < found.pairs[0].naive_midpoint.loss


@pytest.mark.parametrize(("seeds", "points"), [((0,), 5), ((0, 1), 4)])
def test_a_task_that_makes_no_sense_is_refused(seeds: tuple[int, ...], points: int) -> None:
    with pytest.raises(BadInputError, match="two seeds or more and an odd number of points"):
        run_merging(MergingTask(ReLU, seeds, points=points))


def test_the_same_task_gives_the_same_numbers_whatever_was_drawn_before() -> None:
    found = []
    for seed in (1, 2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            found.append(run_merging(MergingTask(ReLU, (0, 1), points=3, width=16, epochs=1)))
    one, other = found
    assert one.narrow_report.error == other.narrow_report.error > 0
    assert one.report.error == other.report.error > 0
    assert (one.pairs, one.naive_all, one.matched_all) == (other.pairs, other.naive_all, other.matched_all)
