"""What people give as inputs is read as one call, and a call is cut, moved and mapped whatever holds its tensors."""

import logging
from collections import UserDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from parasym.core import BadInputError
from parasym.functional import Call, batch_call, batches_of, example_call
from parasym.functional.tensors import map_tensors


class One(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x if mask is None else x * mask


class Two(nn.Module):
    def forward(self, a: Tensor, b: Tensor, *, scale: float = 1.0) -> Tensor:
        return a + scale * b


class Named(nn.Module):
    """As the models of HuggingFace: everything has a default."""

    def forward(self, input_ids: Tensor | None = None, attention_mask: Tensor | None = None) -> Any:
        return input_ids, attention_mask


class Conv(nn.Module):
    """As graph networks."""

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Any:
        return x, edge_index, edge_weight


class Whole(nn.Module):
    def forward(self, batch: Any) -> Any:
        return batch.x


class Graph:
    def __init__(self) -> None:
        self.x, self.edge_index, self.y, self.batch = (
            torch.ones(3, 2),
            torch.tensor([[0, 1], [1, 2]]),
            torch.zeros(3),
            torch.zeros(3),
        )


class Tokens(UserDict):
    """As the batches of tokenizers: a mapping that is no dictionary."""


Pair = namedtuple("Pair", "a b")
X, Y, M = torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0]), torch.ones(3, 2)


def shown(call: Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments with every tensor replaced by which one it is."""
    names = {id(X): "X", id(Y): "Y", id(M): "M"}
    args, kwargs = map_tensors(lambda x: names.get(id(x), "?"), (call.args, dict(call.kwargs)))
    return args, kwargs


EXAMPLES: list[tuple[nn.Module | None, Any, Any]] = [
    (One(), X, (("X",), {})),
    (One(), (X,), (("X",), {})),
    (One(), [X, M], (("X", "M"), {})),
    (One(), {"x": X, "mask": M}, ((), {"x": "X", "mask": "M"})),
    (Named(), Tokens(input_ids=X, attention_mask=M), ((), {"input_ids": "X", "attention_mask": "M"})),
    (One(), ((X,), {"mask": M}), (("X",), {"mask": "M"})),
    (None, ((X,), {"anything": M}), (("X",), {"anything": "M"})),
    (Two(), ((X, Y), {"not an argument": M}), ((("X", "Y"), {"not an argument": "M"}), {})),  # two arguments
    (Two(), ([X, Y], {"scale": 2.0}), (("X", "Y"), {"scale": 2.0})),
    (One(), Call((X,), {"mask": M}), (("X",), {"mask": "M"})),
    (Two(), Pair(X, M), ((), {"a": "X", "b": "M"})),
    (One(), Pair(X, M), (("X", "M"), {})),
    (One(), (), ((), {})),
    (One(), None, ((), {})),
]


@pytest.mark.parametrize(("model", "given", "expected"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples(model, given, expected):
    assert shown(example_call(given, model=model)) == expected


def test_further_keywords_join():
    assert shown(example_call(X, {"mask": M})) == (("X",), {"mask": "M"})
    assert shown(example_call({"x": X}, {"mask": M})) == ((), {"x": "X", "mask": "M"})


BATCHES: list[tuple[nn.Module, Any, Any]] = [
    (One(), X, (("X",), {})),
    (One(), (X, Y), (("X",), {})),  # inputs and labels
    (One(), [X, Y], (("X",), {})),  # as the default of a DataLoader gives them
    (One(), (X,), (("X",), {})),
    (Two(), (X, M), (("X", "M"), {})),  # both are required
    (Two(), (X, M, Y), (("X", "M"), {})),
    (Two(), ((X, M), Y), (("X", "M"), {})),
    (Two(), ([X, M], Y), (("X", "M"), {})),
    (Two(), ((X, M), {"scale": 2.0}), (("X", "M"), {"scale": 2.0})),
    (Two(), ((X, M), {"boxes": Y}), (("X", "M"), {})),  # labels as a dictionary
    (One(), ({"x": X, "mask": M}, Y), ((), {"x": "X", "mask": "M"})),
    (One(), {"x": X, "labels": Y}, ((), {"x": "X"})),
    (Named(), Tokens(input_ids=X, attention_mask=M, labels=Y), ((), {"input_ids": "X", "attention_mask": "M"})),
    (Named(), (X, Y), (("X",), {})),
    (Two(), Pair(X, M), ((), {"a": "X", "b": "M"})),
    (One(), Pair(X, Y), (("X",), {})),
    (One(), Call((X,), {"mask": M}), (("X",), {"mask": "M"})),
    (One(), (Call((X,), {"mask": M}), Y), (("X",), {"mask": "M"})),
    (nn.DataParallel(Two()), (X, M, Y), (("X", "M"), {})),
]


@pytest.mark.parametrize(("model", "given", "expected"), BATCHES, ids=range(len(BATCHES)))
def test_batches(model, given, expected):
    assert shown(batch_call(given, model)) == expected


def test_graphs_are_read_by_name_or_whole():
    graph = Graph()
    for read in (example_call(graph, model=Conv()), batch_call(graph, Conv()), batch_call((graph, Y), Conv())):
        assert set(read.kwargs) == {"x", "edge_index"}
        assert read.kwargs["x"] is graph.x
    assert batch_call(graph, Whole()).args == (graph,)  # although the graph has an attribute called `batch`
    assert batch_call((graph, Y), Whole()).args == (graph,)


def test_what_is_left_out_is_told(caplog):
    with caplog.at_level(logging.INFO, "parasym.functional"):
        batch_call((X, M), One())
        assert "left out of the call: 3x2:float32" in caplog.text
        caplog.clear()
        batch_call((X, M), Two())
        batch_call(X, One())
        assert caplog.text == ""


@pytest.mark.parametrize(
    ("model", "batch", "words"),
    [
        (Two(), X, "needs `b`, which was not given"),
        (Two(), (X,), "needs `b`, which was not given"),
        (One(), {"image": X}, "needs `x`, which was not given"),
        (One(), {"x": X, "image": M}, "knows no `image`; it takes `x`, `mask`"),
        (One(), Call((X, M, Y)), "takes `x`, `mask`, but was given 3 by position"),
        (One(), Call((X,), {"x": X}), "was given `x` by position and by name"),
    ],
)
def test_what_does_not_fit_is_named(model, batch, words):
    with pytest.raises(BadInputError, match=words):
        batch_call(batch, model)


def test_data_is_batches():
    loader = DataLoader(TensorDataset(X, M, Y), batch_size=2)
    assert [str(call) for call in batches_of(loader, Two())] == ["2x2:float32, 2x2:float32", "1x2:float32, 1x2:float32"]
    assert [str(call) for call in batches_of((x for x in (X, X, X)), One(), limit=2)] == ["3x2:float32"] * 2
    assert [shown(call) for call in batches_of(X, One())] == [(("X",), {})]  # one batch, and not its rows
    assert [shown(call) for call in batches_of({"x": X}, One())] == [((), {"x": "X"})]


@pytest.mark.parametrize(
    ("data", "words"),
    [([], "at least one batch, but is empty"), (TensorDataset(X, Y), "single samples"), (3, "an iterable of batches")],
)
def test_data_that_is_none(data, words):
    with pytest.raises(BadInputError, match=words):
        list(batches_of(data, One()))


@dataclass(frozen=True)
class Frozen:
    x: Tensor
    deep: Pair
    word: str = "kept"


def test_tensors_are_found_wherever_they_are():
    graph = Graph()
    given = Call(([X, {"a": X}], Pair(X, X), graph), {"tokens": Tokens(ids=X), "frozen": Frozen(X, Pair(X, X)), "size": 3})
    found = given.to(dtype=torch.float64)
    assert {x.dtype for x in found.tensors if x.is_floating_point()} == {torch.float64}
    assert len(found.tensors) == len(given.tensors) == 12
    assert isinstance(found.args[1], Pair)
    assert isinstance(found.kwargs["tokens"], Tokens)
    assert found.kwargs["frozen"].word == "kept"
    assert found.kwargs["size"] == 3
    assert graph.x.dtype == X.dtype == torch.float32, "what was given stays"
    assert given.kwargs["tokens"]["ids"] is X
    model = nn.Linear(2, 2)
    assert map_tensors(torch.Tensor.double, (model,))[0] is model, "a module is no argument to cast"


def test_a_call_is_cut_where_first_axes_agree():
    call = Call((X,), {"mask": M, "scale": 2.0})
    parts = call.split(2)
    assert [part.samples for part in parts] == [2, 1]
    assert torch.equal(parts[0].joined(parts[1:]).args[0], X)
    assert [part.kwargs["scale"] for part in parts] == [2.0, 2.0]
    assert call.split(None) == [call]
    assert torch.equal(call.take(torch.tensor([2, 0])).args[0], X[[2, 0]])
    with pytest.raises(BadInputError, match="batch_size=None"):
        Call((X, torch.ones(2, 5))).split(2)


def test_like_parameters():
    call = Call((X, Y)).like({"count": torch.zeros(1, dtype=torch.int64), "w": torch.zeros(1, dtype=torch.bfloat16)})
    assert [x.dtype for x in call.tensors] == [torch.bfloat16, torch.int64]
    assert Call((X,)).like({}).args[0] is X


def test_no_inputs():
    with pytest.raises(BadInputError, match="but are '1x3'"):
        example_call("1x3")
