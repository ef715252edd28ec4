"""Bad input is named, with the remedy."""

import pytest
import torch

from parasym.core import BadInputError
from parasym.orbit import WeightMatching, canonicalize, distance, match, match_many, merge
from tests.orbit.networks import relu_mlp


def without(params, name):
    return {n: x for n, x in params.items() if n != name}


CASE = relu_mlp()
A = CASE.params(0)
BAD = {
    "missing": (without(A, "0.bias"), "lacks `0.bias`"),
    "extra": ({**A, "head.weight": torch.zeros(1)}, "has in addition `head.weight`"),
    "shape": ({**A, "0.bias": torch.zeros(9, dtype=torch.float64)}, "must have shape"),
    "nan": ({**A, "2.weight": A["2.weight"] * float("nan")}, "NaN or infinite"),
    "infinite": ({**A, "2.weight": A["2.weight"] / 0}, "NaN or infinite"),
    "integer": ({**A, "2.weight": A["2.weight"].int()}, "must be floating point"),
    "dtype": ({**A, "2.weight": A["2.weight"].float()}, "same dtype"),
    "device": ({**A, "2.weight": A["2.weight"].to("meta")}, "meta"),
    "not a tensor": ({**A, "4.weight": 3.0}, "tensor"),
}


@pytest.mark.parametrize("fault", [k for k in BAD if k not in {"device", "not a tensor"}])
def test_every_verb_names_the_fault(fault):
    bad, words = BAD[fault]
    for verb in (match, distance):
        with pytest.raises(BadInputError, match=words):
            verb(CASE.symmetry, A, bad)
    for verb in (merge, match_many):
        with pytest.raises(BadInputError, match=words):
            verb(CASE.symmetry, [A, bad])


def test_one_model_alone_is_checked():
    with pytest.raises(BadInputError, match="NaN"):
        canonicalize(CASE.symmetry, BAD["nan"][0])
    with pytest.raises(BadInputError, match="empty"):
        merge(CASE.symmetry, [])


def test_restarts_need_a_generator():
    with pytest.raises(BadInputError, match="generator"):
        match(CASE.symmetry, A, A, method=WeightMatching(restarts=1))


def test_model_without_data():
    with pytest.raises(BadInputError, match="without `data`"):
        merge(CASE.symmetry, [A, A], model=CASE.model)
