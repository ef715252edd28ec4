"""Inputs from their shapes."""

from typing import Any

import pytest
import torch

from parasym.cli.inputs import describe_arguments, example_arguments, parse_inputs
from parasym.core import BadInputError


def parse(*specs: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
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
    ((value,), kwargs) = parse(spec)
    assert (tuple(value.shape), value.dtype, kwargs) == (shape, dtype, {})


def test_tokens_stay_below_their_bound_and_use_it() -> None:
    (tokens,), _ = parse("1x4000:int64<7")
    assert sorted(set(tokens.flatten().tolist())) == list(range(7))


def test_names_make_keyword_arguments() -> None:
    args, kwargs = parse("1x4:int64<9", "mask=1x4:bool", "2x2")
    assert [tuple(x.shape) for x in args] == [(1, 4), (2, 2)]
    assert list(kwargs) == ["mask"]
    assert describe_arguments((args, kwargs)) == "1x4:int64, 2x2:float32, mask=1x4:bool"


def test_the_same_seed_gives_the_same_inputs() -> None:
    assert torch.equal(parse("3x3")[0][0], parse("3x3")[0][0])


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


def test_every_form_of_example_inputs() -> None:
    x = torch.ones(1)
    assert example_arguments(x) == ((x,), {})
    assert example_arguments((x, 3)) == ((x, 3), {})
    assert example_arguments([x]) == ((x,), {})
    assert example_arguments({"a": x}) == ((), {"a": x})
    assert example_arguments(((x,), {"a": 1})) == ((x,), {"a": 1})
    with pytest.raises(BadInputError, match="is a str"):
        example_arguments("1x3")
