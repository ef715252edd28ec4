"""``find`` is sound on models that nobody wrote."""

from collections import Counter

import pytest
import torch

from parasym.rules import BY_NAME
from parasym.testing.random_kinds import KINDS
from parasym.testing.random_model import random_model
from tests.find.random_soundness import caught_forgetful, unsound_factors

SEEDS = range(50)
MANY = 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_find_is_sound(seed: int):
    model, _, wrong = unsound_factors(seed)
    assert not wrong, f"{model.kinds}: {wrong}"


@pytest.mark.slow
def test_find_is_sound_on_many():
    wrong, nontrivial, factors, kinds = {}, 0, 0, Counter()
    for seed in range(MANY):
        model, symmetry, bad = unsound_factors(seed)
        nontrivial += bool(symmetry.factors)
        factors += len(symmetry.factors)
        kinds.update(set(model.kinds))
        if bad:
            wrong[seed] = bad
    print(  # noqa: T201 - the recorded result
        f"{MANY} models, {nontrivial} with a symmetry, {factors} factors, {len(wrong)} models with a wrong one; {dict(kinds)}"
    )
    assert not wrong
    assert nontrivial > 0.8 * MANY
    assert {name for name, _ in KINDS} <= set(kinds)


def test_models_depend_on_the_seed_alone():
    for seed in range(5):
        state = torch.random.get_rng_state()
        (a, x), (b, y) = random_model(seed), random_model(seed)
        assert torch.equal(torch.random.get_rng_state(), state)
        assert a.kinds == b.kinds
        assert torch.equal(x[0], y[0])
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert len({random_model(seed)[0].kinds for seed in range(30)}) > 25


def test_the_generator_draws_every_kind():
    kinds = Counter(kind for seed in range(400) for kind in set(random_model(seed)[0].kinds))
    missing = {name for name, _ in KINDS} - set(kinds)
    assert not missing
    assert {"embedding", "tied_head", "head", "flatten"} <= set(kinds)


def test_most_models_have_a_symmetry():
    found = [unsound_factors(seed)[1] for seed in range(20)]
    assert sum(bool(symmetry.factors) for symmetry in found) >= 16
    assert sum(symmetry.dimension > 0 for symmetry in found) >= 10
    assert sum(symmetry.order > 1 for symmetry in found) >= 10


def test_a_forgotten_binding_is_caught():
    counts = [caught_forgetful(seed) for seed in range(12)]
    caught, total = (sum(column) for column in zip(*counts, strict=True))
    assert total > 30
    assert caught >= 0.9 * total


def test_a_wrong_rule_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(BY_NAME, "gelu", BY_NAME["relu"])  # a scale through GELU
    monkeypatch.setitem(BY_NAME, "sigmoid", BY_NAME["tanh"])  # a sign through the sigmoid
    assert any(unsound_factors(seed)[2] for seed in SEEDS)
