"""Batches of samples: cut along the first axis, and refused where the model does not take them."""

from typing import Any

import pytest
import torch
from torch import nn

from parasym.core import BadInputError, model_params
from parasym.landscape.samples import samples

MODEL = nn.Linear(3, 2)
X, Y = torch.arange(15.0).reshape(5, 3), torch.arange(5)


def test_batches_are_the_samples_in_order() -> None:
    for size, lengths in ((None, [5]), (2, [2, 2, 1]), (5, [5]), (1, [1] * 5)):
        batches = samples(MODEL, X, Y, size, like=model_params(MODEL))
        assert [len(targets) for _, targets in batches] == lengths
        assert torch.equal(torch.cat([call.args[0] for call, _ in batches]), X)
        assert torch.equal(torch.cat([targets for _, targets in batches]), Y)


@pytest.mark.parametrize(
    ("inputs", "targets", "size", "words"),
    [
        ((X, X), Y, None, "forward of Linear"),
        (X, Y[:4], 2, "equally many"),
        (X, Y[:0], None, "equally many"),
        (X, 3, None, "`targets` must be a tensor"),
        (X, Y, 0, "`batch_size` must be at least 1"),
    ],
)
def test_what_does_not_fit_is_one_line(inputs: Any, targets: Any, size: int | None, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        samples(MODEL, inputs, targets, size, like=model_params(MODEL))
