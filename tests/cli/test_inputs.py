"""Inputs from their shapes."""

import pytest
import torch

from parasym.cli.inputs import parse_inputs
from parasym.core import BadInputError
from parasym.functional import Call


def parse(*specs: str) -> Call:
    return parse_inputs(list(specs), dtype=torch.float32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("spec", "shape", "dtype"),
    [
        ("1x3x8x8", (1, 3, 8, 8), torch.float32),
        ("5", (5,), torch.float32),
        ("2x3:float64", (2, 3), torch.float64),
        ("1x16:int64", (1, 16), torch.int64),
        ("1x16:int32<1000", (1, 16), torch.int32),
        ("1x16<1000", (1, 16), torch.int64),
        ("2x4:bool", (2, 4), torch.bool),
    ],
)
def test_shapes_and_dtypes(spec: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    call = parse(spec)
    (value,) = call.args
    assert (tuple(value.shape), value.dtype, call.kwargs) == (shape, dtype, {})


def test_tokens_stay_below_their_bound_and_use_it() -> None:
    (tokens,) = parse("1x4000:int64<7").args
    assert sorted(set(tokens.flatten().tolist())) == list(range(7))


def test_names_make_keyword_arguments() -> None:
    assert str(parse("1x4:int64<9", "mask=1x4:bool", "2x2")) == "1x4:int64, 2x2:float32, mask=1x4:bool"


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert torch.equal(parse("3x3").args[0], parse("3x3").args[0])


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("axb", "must be a shape such as"),
        ("1x", "must be a shape such as"),
        ("", "must be a shape such as"),
        ("1x-3", "must be a shape such as"),
        ("1x3:float33", "`float33`, which must be one of float32"),
        ("1x3:float32<7", "for integers only"),
        ("1x3:int64<0", "at least 1"),
    ],
)
def test_mistakes_are_named(spec: str, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        parse(spec)
