"""Models whose constants differ are of different architectures: which layer, and how many entries."""

import pytest
import torch
from torch import nn

from parasym.core import BadInputError, check_constants, differing
from parasym.core.constants import constant_names
from parasym.core.recipe import RECIPE


def test_the_layer_and_the_number_of_entries_are_named() -> None:
    mask = torch.tensor([1.0, 0.0, float("-inf"), 1.0])
    other = torch.tensor([1.0, 1.0, float("-inf"), 1.0])
    models = [{"block.0.mask": mask, "top": mask}, {"block.0.mask": mask.clone(), "top": other}]
    check_constants(models, ["block.0.mask"], ["A", "B"])
    with pytest.raises(BadInputError, match=r"A and B .*`top` of layer `the model itself` .* differs in 1 of 4 entries\."):
        check_constants(models, ["block.0.mask", "top"], ["A", "B"])
    models[1]["block.0.mask"] = torch.zeros(2)
    with pytest.raises(BadInputError, match=r"`mask` of layer `block.0` .* differs in shape: \(4,\) and \(2,\)\."):
        check_constants(models, ["block.0.mask"], ["A", "B"])


def test_what_differs_by_rounding_or_is_missing_does_not_differ() -> None:
    a = torch.tensor([1 / 3, 2 / 3, float("nan")])
    assert differing({"x": a}, {"x": a * (1 + 1e-7)}, ["x", "y"]) == []
    assert differing({"x": a}, {"x": a * (1 + 1e-4)}, ["x"]) == ["x"]
    assert differing({"x": torch.arange(3)}, {"x": torch.arange(3)}, ["x"]) == []
    assert differing({"x": torch.arange(3)}, {"x": torch.tensor([0, 1, 3])}, ["x"]) == ["x"]


def test_a_buffer_of_two_names_has_both() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Flatten())
    table = torch.arange(3.0)
    for layer in model:
        layer.register_buffer("table", table)
    assert constant_names(model) == ("0.table", "1.table")


def test_recipes_differ_by_their_digest() -> None:
    old, new, other = (
        torch.tensor(list(text), dtype=torch.uint8)
        for text in (b'{"digest": "2fe8", "version": 1}', b'{"digest": "2fe8", "version": 2}', b'{"digest": "77aa"}')
    )
    assert differing({RECIPE: old}, {RECIPE: new}, [RECIPE]) == []
    assert differing({RECIPE: old}, {RECIPE: other}, [RECIPE]) == [RECIPE]
