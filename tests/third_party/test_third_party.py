"""``find`` is sound, and covers what it must, on models that nobody here wrote."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from parasym.core import Params, tolerance_for
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.zoo import generic_params
from tests.third_party.third_party_cases import CASES, Built, Case

BY_NAME = {case.name: case for case in CASES}


@cache
def _built(name: str) -> tuple[Built, Symmetry]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = BY_NAME[name].build()
    model = built.model.eval()
    return built, find(model, built.args, built.kwargs, check=True)


def _flat(out: object) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out.flatten()] if out.is_floating_point() else []
    values = out.values() if isinstance(out, Mapping) else out if isinstance(out, tuple | list) else ()
    return [part for value in values for part in _flat(value)]


def _cast(value: object, dtype: torch.dtype) -> object:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def _outputs(model: nn.Module, params: Params, built: Built, dtype: torch.dtype) -> Tensor:
    args = tuple(_cast(value, dtype) for value in built.args)
    kwargs = {name: _cast(value, dtype) for name, value in built.kwargs.items()}
    names = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    with torch.no_grad():
        out = torch.func.functional_call(model, {n: v for n, v in params.items() if n in names}, args, kwargs)
    return torch.cat(_flat(out))


def _moved_elements(model: nn.Module, before: Params, after: Params) -> tuple[int, int]:
    """Return how many parameter elements differ, and how many there are."""
    names = [name for name, _ in model.named_parameters()]
    return sum(int((after[n] != before[n]).sum()) for n in names), sum(before[n].numel() for n in names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_soundness_and_coverage(case: Case):
    built, symmetry = _built(case.name)
    model = built.model.to(case.dtype)
    generator = torch.Generator().manual_seed(1)
    params = generic_params(model, generator=generator)
    moved = symmetry.act(symmetry.sample(generator=generator, dtype=case.dtype), params)
    before, after = (_outputs(model, p, built, case.dtype) for p in (params, moved))
    error = float((after - before).abs().max() / before.abs().max())
    assert float(before.std()) > 0.01 * float(before.abs().max()), "the outputs must depend on something"
    assert error < tolerance_for(case.dtype).holds
    changed, total = _moved_elements(model, params, moved)
    print(  # noqa: T201 - the coverage that the README quotes
        f"{case.name}: {changed:,} of {total:,} elements moved, {len(symmetry.factors)} factors, error {error:.0e}"
    )
    unmoved = sum(params[name].numel() for name in case.pinned)
    assert changed >= 0.97 * (total - unmoved)  # a permutation leaves a few in place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_what_must_be_is_pinned(case: Case):
    built, symmetry = _built(case.name)
    trained = {name for name, _ in built.model.named_parameters()}
    assert set(symmetry.pinned) & trained == set(case.pinned)
    assert not symmetry.refuted
    assert symmetry.self_check is not None
    assert symmetry.self_check.error is not None, str(symmetry.self_check)
    assert not symmetry.uncovered


@pytest.mark.parametrize("case", [case for case in CASES if case.order is not None], ids=lambda case: case.name)
def test_order_is_the_derived_one(case: Case):
    assert _built(case.name)[1].order == case.order


def test_a_wrong_factor_is_caught():
    built, symmetry = _built("digit_recognizer")
    forgetful = replace(symmetry, factors=tuple(replace(f, bindings=f.bindings[:-1]) for f in symmetry.factors))
    model, generator = built.model.double(), torch.Generator().manual_seed(1)
    params = generic_params(model, generator=generator)
    before = _outputs(model, params, built, torch.float64)
    after = _outputs(model, forgetful.act(forgetful.sample(generator=generator), params), built, torch.float64)
    assert float((after - before).abs().max() / before.abs().max()) > tolerance_for(torch.float64).fails
