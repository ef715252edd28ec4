"""The hand-derived answers agree with themselves and with a numeric count that does not use ``find``."""

from dataclasses import replace
from math import prod

import pytest
import torch

from parasym.zoo import ZOO, Entry, generic_params
from tests.zoo.group_size import order_and_dimension
from tests.zoo.jacobian import jacobian, moving, nullity, outputs

# Small ReLU networks are often partly dead or linear, which adds directions; these seeds give points where none is.
SEEDS = {
    "dense_concatenation": 2303,
    "residual_mlp": 163,
    "residual_mlp_linear_stream": 1,
    "densenet_batchnorm_eval": 245,
    "mlp_relu_deep": 31,
    "unet": 43,
    "shared_layer": 200,
    "shared_layer_no_bias": 31,
    "depthwise": 28,
    "squeeze_excitation": 3,
    "embedding_tied": 1,
    "embedding_tied_residual": 1,
}


def _null_directions(entry: Entry) -> int:
    seed = SEEDS.get(entry.name, 0)
    generator = torch.Generator().manual_seed(seed)
    model = entry.model(seed=seed)
    params = generic_params(model, generator=generator)
    names = moving(model, train=entry.train)

    def draw() -> tuple[torch.Tensor, ...]:
        return tuple(3 * x if x.is_floating_point() else x for x in entry.inputs(generator))

    count = sum(params[name].numel() for name in names)
    draws = [draw() for _ in range(max(4, int(1.5 * count / outputs(model, params, draw()).numel()) + 4))]
    found, above, below = nullity(jacobian(model, names, params, draws))
    assert above > 1e4 * below, f"{entry.name}: no clear gap between {above:.1e} and {below:.1e}"
    return found


def test_names_are_unique() -> None:
    assert len({entry.name for entry in ZOO}) == len(ZOO)


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_order_and_dimension_follow_from_the_factors(entry: Entry) -> None:
    sizes = [order_and_dimension(name) for name in entry.expected]
    assert entry.order == prod(order for order, _ in sizes)
    if entry.name != "attention_qk_norm_rope":  # its planes have no scale
        assert entry.dimension == sum(dimension for _, dimension in sizes)


@pytest.mark.parametrize("entry", ZOO, ids=lambda e: e.name)
def test_dimension_agrees_with_the_jacobian(entry: Entry) -> None:
    assert _null_directions(entry) == entry.dimension - entry.overlap + entry.rest


def test_the_jacobian_catches_a_wrong_answer() -> None:
    entry = next(e for e in ZOO if e.name == "mlp_tanh")
    wrong = replace(entry, dimension=5)  # tanh taken for a ReLU
    assert _null_directions(wrong) != wrong.dimension
