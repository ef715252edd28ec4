"""Every group of the table satisfies the contract, and every planted fault breaks it."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from parasym.groups import GROUPS, AbstractGroup
from parasym.testing import assert_group_contract
from tests.groups.group_cases import BUILDERS

seeds = st.integers(0, 2**31)


def test_every_group_of_the_table_has_a_case():
    assert {type(build(2)) for build in BUILDERS.values()} == set(GROUPS)


@pytest.mark.parametrize("name", BUILDERS)
@given(size=st.integers(2, 5), seed=seeds, batch=st.sampled_from([(), (1,), (3,), (2, 2)]))
def test_contract_in_float64(name: str, size: int, seed: int, batch: tuple[int, ...]):
    generator = torch.Generator().manual_seed(seed)
    assert_group_contract(BUILDERS[name](size), batch=batch, generator=generator)


@pytest.mark.parametrize("name", BUILDERS)
def test_contract_in_float32(name: str):
    assert_group_contract(BUILDERS[name](4), dtype=torch.float32)


@pytest.mark.parametrize("kind", GROUPS)
def test_contract_at_size_one(kind: type[AbstractGroup]):
    assert_group_contract(kind(1))


@pytest.mark.gpu
@pytest.mark.parametrize("name", BUILDERS)
def test_contract_on_gpu(name: str):
    assert_group_contract(BUILDERS[name](4), device="cuda")


@pytest.mark.parametrize(
    ("name", "order"),
    [("permutation", 24), ("permutation-halves", 4), ("sign", 16), ("scaling", 1), ("orthogonal", 1)],
)
def test_order(name: str, order: int):
    assert BUILDERS[name](4).order == order


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("permutation", 0), ("sign", 0), ("scaling", 4), ("orthogonal", 6), ("linear", 16), ("plane", 8), ("translation", 4)],
)
def test_dimension(name: str, dimension: int):
    assert BUILDERS[name](4).dimension == dimension


@pytest.mark.parametrize("name", BUILDERS)
def test_wrong_length_names_both_shapes(name: str):
    group = BUILDERS[name](3)
    g = group.sample(dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match=rf"length {group.length} along axis 0.*{re.escape('(7, 2)')}"):
        group.act(g, torch.zeros(7, 2), 0)
