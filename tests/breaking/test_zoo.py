"""``find`` says what is left of every model of the zoo, and the count of null directions agrees."""

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym import breaking
from parasym.breaking import FrozenEntries, WAsymmetric, trainable_count
from parasym.core import BadInputError
from parasym.find import find
from parasym.symmetry import group_name
from parasym.verify import verify
from parasym.zoo import ZOO, Entry
from parasym.zoo.paper import GraphNet, NormedMLP, resnet8
from tests.breaking.zoo_cases import LEFT, LONG, PROVED, SLOW

MASKS = WAsymmetric(frozen=0.5, distinct=False)
ALL = WAsymmetric(frozen=0.5, distinct=False, leftover="freeze")
NAMED = {"frozen entry", "unused parameter", "dead unit"}
"""Kinds of null directions behind frozen entries."""

ENTRIES = [pytest.param(entry, id=entry.name, marks=[pytest.mark.slow] if entry.name in SLOW else []) for entry in ZOO]


def break_(*args: Any, **kwargs: Any) -> Any:
    """Return what the verb returns, as a module whose attributes are not declared."""
    return breaking.break_(*args, **kwargs).model


def inputs(entry: Entry) -> tuple[Tensor, ...]:
    return entry.inputs(torch.Generator().manual_seed(0))


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_is_left_of_the_zoo(entry: Entry):
    model, x = entry.model(), inputs(entry)
    if entry.name not in SLOW:
        left = breaking.break_(model, MASKS, x).report
        assert left.symmetry is not None
        assert Counter(group_name(factor) for factor in left.symmetry.factors) == Counter(LEFT.get(entry.name, ()))
    report = breaking.break_(model, ALL, x).report
    assert report.symmetry is not None
    assert report.symmetry.uncovered == ()
    assert report.trained < trainable_count(model)
    movable = {name for name, x in model.named_parameters()}
    assert [f.tensors for f in report.symmetry.factors if movable & set(f.tensors)] == []
    assert report.symmetry.order == 1 or entry.name == "spectral_norm"  # its singular vectors


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] if n in LONG else []) for n in PROVED])
def test_the_count_of_null_directions_agrees(name: str):
    entry = next(e for e in ZOO if e.name == name)
    broken = break_(entry.model(), ALL, inputs(entry))
    count = verify(broken, find(broken, inputs(entry)), inputs(entry), samples=1).completeness
    assert count is not None
    assert count.trustworthy
    assert {rest.kind for rest in count.rest} - NAMED == set(PROVED[name])
    hidden = count.parameters - trainable_count(broken)
    assert count.nullity == hidden + sum(rest.dimension for rest in count.rest if rest.kind not in NAMED)


def test_planted_vector_that_is_not_frozen_is_seen():
    """Fault: the masks alone leave the bias of values, which ``find`` cannot describe but the count sees."""
    entry = next(e for e in ZOO if e.name == "attention_bias")
    broken = break_(entry.model(), MASKS)
    count = verify(broken, find(broken, inputs(entry)), inputs(entry), samples=1).completeness
    assert count is not None
    hidden = count.parameters - trainable_count(broken)
    assert count.nullity - hidden == 12  # the bias of keys and that of values
    assert [rest.dimension for rest in count.rest if rest.kind == "unexplained"] == [6]


def test_planted_equal_rows_are_seen():
    """Fault: two rows of one mask with the same constants can be exchanged."""
    model = nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 3))
    broken = break_(model, WAsymmetric(frozen=2))
    x = (torch.zeros(2, 4),)
    assert find(broken, x).order == 1
    one, after = (m for m in broken.modules() if isinstance(m, FrozenEntries))
    one.mask[1], one.frozen[1] = one.mask[0], one.frozen[0]
    assert find(broken, x).order == 1  # columns of the next layer still differ
    after.mask[:, 1], after.frozen[:, 1] = after.mask[:, 0], after.frozen[:, 0]
    assert find(broken, x).order == 2


def constants(model: nn.Module) -> list[Tensor]:
    return [x for m in model.modules() if isinstance(m, FrozenEntries) for x in (m.mask, m.frozen)]


@pytest.mark.parametrize("name", ["layer_norm", "attention_fused_qkv", "cnn_batchnorm_eval", "experts_stacked"])
def test_what_is_frozen_does_not_depend_on_the_weights(name: str):
    """Fault: constants around the initial values would make two networks two architectures."""
    entry = next(e for e in ZOO if e.name == name)
    a, b = (constants(break_(entry.model(seed=seed), ALL, inputs(entry))) for seed in (0, 1))
    assert len(a) == len(b) > 4
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_freezing_the_rest_takes_as_few_entries_as_dimensions():
    for name, few in (("layer_norm", 1), ("group_norm", 3), ("attention_bias", 12), ("attention_qk_norm", 3)):
        entry = next(e for e in ZOO if e.name == name)
        masked, frozen = break_(entry.model(), MASKS), break_(entry.model(), ALL, inputs(entry))
        assert trainable_count(masked) - trainable_count(frozen) == few


def test_freezing_the_rest_needs_inputs():
    with pytest.raises(BadInputError, match="`inputs` is needed with leftover='freeze'"):
        break_(nn.Linear(4, 3), WAsymmetric(frozen=2, leftover="freeze"))


def test_rows_may_share_places_only_if_asked_and_with_constants():
    model = nn.Sequential(nn.Linear(4, 12), nn.GELU(), nn.Linear(12, 3))
    with pytest.raises(BadInputError, match=r"`0` is too narrow for distinct rows.*distinct=False"):
        break_(model, WAsymmetric(frozen=0.5))
    broken = break_(model, WAsymmetric(frozen=0.5, distinct=False))
    mask = next(m for m in broken.modules() if isinstance(m, FrozenEntries)).mask
    assert len(torch.unique(mask, dim=0)) == 6
    assert find(broken, (torch.zeros(2, 4),)).order == 1
    with pytest.raises(BadInputError, match="constants of 0 do not tell them apart"):
        break_(model, WAsymmetric(frozen=0.5, distinct=False, std=0.0))


def test_the_networks_of_the_paper_keep_what_biases_around_norms_bear():
    edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
    cases = (
        (NormedMLP(6, 3, 5), (torch.randn(2, 5),), {"shift(1)": 3}),
        (resnet8(0.5), (torch.randn(2, 3, 8, 8),), {"shift(16)": 1, "shift(32)": 1}),
        (GraphNet(6, 3, 4).train(), (torch.randn(3, 4), edges), {"shift(6)": 3}),
    )
    for model, x, left in cases:
        assert find(model, x).order > 10**6
        symmetry = find(break_(model, WAsymmetric(frozen=0.4)), x)
        assert Counter(group_name(f) for f in symmetry.factors) == Counter(left)
        assert not symmetry.uncovered
        assert find(break_(model, WAsymmetric(frozen=0.4, leftover="freeze"), x), x).factors == ()
