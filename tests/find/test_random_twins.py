"""An adversary: branches may change places until one number of one of them is changed."""

from collections import Counter
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from parasym.find import find, fingerprint
from parasym.symmetry import Swap, Symmetry, group_name
from parasym.testing.random_readings import READINGS
from parasym.testing.random_twins import Twins, random_twins
from parasym.zoo import generic_params
from tests.zoo.acting import factor_errors

SEEDS = range(40)
MANY = 600


def members(symmetry: Symmetry) -> list[int]:
    return [len(b.members) for factor in symmetry.factors for b in factor.bindings if isinstance(b, Swap)]


def exchanges(symmetry: Symmetry, branch: int | None) -> set[str]:
    """Return the ids of the factors that exchange a branch with others."""
    swaps = [factor for factor in symmetry.factors if any(isinstance(b, Swap) for b in factor.bindings)]
    return {factor.id for factor in swaps if any(name.startswith(f"sum.branches.{branch}.") for name in factor.tensors)}


def wrong_factors(model: Twins, symmetry: Symmetry, args: tuple[Tensor, ...], seed: int) -> list[str]:
    """Return the factors that change the outputs, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    model, (x,) = deepcopy(model).double(), args
    params = generic_params(model, generator=generator)
    errors = factor_errors(model, symmetry, params, (x.double() if x.is_floating_point() else x,), generator=generator)
    return [f"{group_name(f)} on {f.wire.name}: {error:.1e}" for f, error, way in errors if not error < 1e-10 or way == 0]


def same_function(twins: Twins, changed: Twins, args: tuple[Tensor, ...], seed: int) -> bool:
    """Return whether the change of a number changes no output at all, at random parameters."""
    one, other = deepcopy(twins).double(), deepcopy(changed).double()
    params = generic_params(one, generator=torch.Generator().manual_seed(seed))
    (x,) = args
    given = x.double() if x.is_floating_point() else x
    return torch.equal(*(torch.func.functional_call(model, params, (given,)) for model in (one, other)))


def try_seed(seed: int) -> bool:
    """Check the twins of a seed and their adversary; return whether the twins were found exchangeable."""
    twins, changed, args = random_twins(seed)
    found, left = find(twins, args), find(changed, args)
    assert not wrong_factors(twins, found, args, seed), twins.names
    assert not wrong_factors(changed, left, args, seed), (changed.names, changed.changed)
    if same_function(twins, changed, args, seed):  # what is read afterwards does not see the change
        return set(members(found)) == set(members(left)) == {twins.count}
    count = twins.count
    # Parts of them are right too, if a cut that no type has hides the rest; they count as not found.
    assert all(n <= count for n in members(found)), twins.names
    # Branches that are left alike may change places, and so may a channel that one reads and another of the changed one.
    assert not exchanges(left, changed.changed) & exchanges(found, changed.changed), (changed.names, changed.changed)
    return set(members(found)) == {count}


def test_one_changed_number_ends_an_exchange():
    assert sum(map(try_seed, SEEDS)) >= 0.9 * len(SEEDS)


@pytest.mark.slow
def test_one_changed_number_ends_an_exchange_on_many():
    assert sum(map(try_seed, range(MANY))) >= 0.9 * MANY


def test_every_way_to_read_is_drawn():
    drawn = Counter(random_twins(seed)[1].names[0] for seed in range(250))
    assert {name for name, _ in READINGS} <= set(drawn)
    kinds = {next(random_twins(seed)[0].parameters()).dtype for seed in range(20)}
    assert kinds == {torch.float64, torch.float32, torch.bfloat16}


def test_a_forgotten_window_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fingerprint.Fingerprints, "_windows", lambda *_: ())
    assert any(_fails(seed) for seed in SEEDS)


def test_a_forgotten_number_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("parasym.rules.program.Program.tag", lambda *_: "")
    assert any(_fails(seed) for seed in SEEDS)


def _fails(seed: int) -> bool:
    try:
        try_seed(seed)
    except AssertionError:
        return True
    return False


def test_every_kind_of_layer_is_drawn():
    layers = {type(module) for seed in range(60) for module in random_twins(seed)[0].sum.modules()}
    assert {nn.Linear, nn.Embedding, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.RNN, nn.GRU, nn.LSTM} <= layers
