# pyright: reportArgumentType=false, reportCallIssue=false
"""Every verb takes a module wherever its parameters are wanted, and says in one line what is wrong with anything else."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import parasym
from parasym.core.arguments import as_params
from parasym.landscape import path
from parasym.population import train_population
from parasym.symmetry import Symmetry


def net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()


A, B = net(0), net(1)
X, Y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double(), torch.tensor([0, 1, 2, 0, 1, 2])
SYMMETRY = parasym.find(A, X)
P, Q = parasym.model_params(A), parasym.model_params(B)
STATE = A.state_dict()

SAME: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "match": (lambda: SYMMETRY.act(parasym.match(SYMMETRY, A, B), Q), lambda: SYMMETRY.act(parasym.match(SYMMETRY, P, Q), B)),
    "match, one of each": (
        lambda: SYMMETRY.act(parasym.match(SYMMETRY, A, Q), Q),
        lambda: SYMMETRY.act(parasym.match(SYMMETRY, P, B), Q),
    ),
    "match_many": (
        lambda: [SYMMETRY.act(g, x) for g, x in zip(parasym.match_many(SYMMETRY, [A, B]), [A, B], strict=True)],
        lambda: [SYMMETRY.act(g, x) for g, x in zip(parasym.match_many(SYMMETRY, (P, Q)), (P, Q), strict=True)],
    ),
    "merge": (lambda: parasym.merge(SYMMETRY, [A, B]), lambda: parasym.merge(SYMMETRY, [STATE, Q])),
    "distance": (lambda: parasym.distance(SYMMETRY, A, B), lambda: parasym.distance(SYMMETRY, P, Q)),
    "canonicalize": (lambda: parasym.canonicalize(SYMMETRY, A), lambda: parasym.canonicalize(SYMMETRY, P)),
    "barrier": (lambda: parasym.barrier(A, A, B, X, Y, points=3), lambda: parasym.barrier(A, P, Q, (X,), Y, points=3)),
    "path": (lambda: path(A, [A], [B], X, Y, points=3), lambda: path(A, [P], [Q], X, Y, points=3)),
    "verify": (
        lambda: parasym.verify(A, SYMMETRY, X, params=B, complete=False).rows[0].moved,
        lambda: parasym.verify(A, SYMMETRY, (X,), params=Q, complete=False).rows[0].moved,
    ),
}


def plain(value: Any) -> Any:
    """A result as numbers."""
    if isinstance(value, list):
        return [plain(x) for x in value]
    params = getattr(value, "params", value)
    return {n: x.tolist() for n, x in params.items()} if isinstance(params, dict) else value


@pytest.mark.parametrize("name", SAME)
def test_a_module_is_its_parameters(name):
    by_module, by_params = SAME[name]
    assert plain(by_module()) == plain(by_params())


ORDER = "The call is {}"
WRONG: list[tuple[str, Callable[[], Any], str]] = [
    # A state dict where a model is needed
    (
        "find",
        lambda: parasym.find(STATE, X),
        "a torch.nn.Module, but is a dictionary of 4 tensors.*load_state_dict",
    ),
    ("verify", lambda: parasym.verify(STATE, SYMMETRY, X), "`model` must be .* a dictionary of 4 tensors.*load_state_dict"),
    (
        "barrier",
        lambda: parasym.barrier(STATE, A, B, X, Y),
        "`model` must be .* a dictionary of 4 tensors.*load_state_dict",
    ),
    ("path", lambda: path(STATE, [A], [B], X, Y), "`model` must be .* a dictionary of 4 tensors.*load_state_dict"),
    ("merge", lambda: parasym.merge(SYMMETRY, [A, B], model=STATE, data=[X]), "`model` must be .*but is a dictionary"),
    ("break_", lambda: parasym.break_(STATE), "`model` must be a torch.nn.Module, but is"),
    ("find, a class", lambda: parasym.find(nn.Linear, X), r"but is the class Linear: build one, as in Linear\(...\)"),
    # No example
    ("find", lambda: parasym.find(A), "forward of Sequential needs `input`, which was not given"),
    ("find", lambda: parasym.find(A, None), "forward of Sequential needs `input`, which was not given"),
    ("verify", lambda: parasym.verify(A, SYMMETRY), "forward of Sequential needs `input`, which was not given"),
    ("barrier", lambda: parasym.barrier(A, A, B, {}, Y), "forward of Sequential needs `input`"),
    # Arguments in another order
    ("find", lambda: parasym.find(X, A), r"`model` must be .*but is a tensor of shape \(6, 4\). The call is find\(model, args\)"),
    ("verify", lambda: parasym.verify(SYMMETRY, A, X), r"`model` must be .*but is a Symmetry. The call is verify\(model, symm"),
    ("verify", lambda: parasym.verify(A, X, SYMMETRY), "`symmetry` must be a Symmetry, as `find` returns it, but is a tensor"),
    ("match", lambda: parasym.match(P, Q, SYMMETRY), r"but is a dictionary of 4 tensors. The call is match\(symmetry, a, b\)"),
    ("match", lambda: parasym.match(A, B, SYMMETRY), r"but is the module Sequential. The call is match\(symmetry, a, b\)"),
    ("match", lambda: parasym.match(P, SYMMETRY, Q), "`symmetry` must be a Symmetry"),
    ("distance", lambda: parasym.distance(P, Q, SYMMETRY), r"The call is distance\(symmetry, a, b\)"),
    ("canonicalize", lambda: parasym.canonicalize(P, SYMMETRY), r"The call is canonicalize\(symmetry, params\)"),
    ("match_many", lambda: parasym.match_many([P, Q], SYMMETRY), r"but is a list of 2. The call is match_many\(symmetry"),
    ("merge", lambda: parasym.merge([P, Q], SYMMETRY), r"but is a list of 2. The call is merge\(symmetry"),
    (
        "barrier",
        lambda: parasym.barrier(P, Q, A, X, Y),
        r"`model` must .* The call is barrier\(model, a, b, inputs, targets\)",
    ),
    ("barrier", lambda: parasym.barrier(A, X, Y, P, Q), "`a` must be a module or its parameters by name, but is a tensor"),
    (
        "act",
        lambda: SYMMETRY.act(P, SYMMETRY.sample()),
        r"`element` must be an Element.*is symmetry.act\(element, params\)",
    ),
    # Something else
    ("match", lambda: parasym.match(SYMMETRY, [P, Q], P), "`a` must be a module or its parameters by name, but is a list of 2"),
    ("match", lambda: parasym.match(SYMMETRY, P, None), "`b` must be .* but is None"),
    ("match", lambda: parasym.match(SYMMETRY, {"state_dict": P, "epoch": 3}, Q), "Pass its entry `state_dict`"),
    ("match", lambda: parasym.match(SYMMETRY, {**P, "epoch": 3}, Q), "must hold tensors by name, but `epoch` is an int"),
    ("match", lambda: parasym.match(SYMMETRY, {**P, None: X}, Q), "must hold tensors by name, but `None` is a tensor"),
    ("match", lambda: parasym.match(SYMMETRY, {}, Q), "must hold tensors by name, but is empty"),
    (
        "match_many",
        lambda: parasym.match_many(SYMMETRY, P),
        "`models` must be a list of models, but is a dictionary",
    ),
    ("match_many", lambda: parasym.match_many(SYMMETRY, []), "at least one model, but is empty"),
    ("merge", lambda: parasym.merge(SYMMETRY, A), "`models` must be a list of models, but is the module Sequential"),
    ("merge", lambda: parasym.merge(SYMMETRY, [P, X]), r"`models\[1\]` must be a module or its parameters"),
    ("path", lambda: path(A, A, B, X, Y), "`starts` must be a list of models"),
    ("barrier", lambda: parasym.barrier(A, A, B, X, [0, 1]), "`targets` must be a tensor, but is a list"),
    ("barrier", lambda: parasym.barrier(A, A, B, X), "must be batches of inputs and one tensor of labels"),
    ("verify", lambda: parasym.verify(A, SYMMETRY, X, params=X), "`params` must be a module or its parameters by name"),
    ("verify", lambda: parasym.verify(A, SYMMETRY, X[:, :3]), "does not run on the input 6x3:float64"),
    ("barrier", lambda: parasym.barrier(A, A, B, X[:, :3], Y), "does not run on the input 6x3:float64"),
    ("act", lambda: SYMMETRY.act(SYMMETRY.sample(), 3), "`params` must be a module or its parameters by name, but is an int"),
    (
        "train_population",
        lambda: train_population(A, X, Y, seeds=[0]),
        "`factory` must be .*but is the module Sequential",
    ),
    ("train_population", lambda: train_population(STATE, X, Y, seeds=[0]), "`factory` must be a function.*but is a dictionary"),
    ("train_population", lambda: train_population(nn.Linear, X, Y, seeds=[0]), "the class Linear needs `in_features`, `out_fe"),
    ("train_population", lambda: train_population(X, Y, net, seeds=[0]), "`factory` must be a function.*but is a tensor"),
]


@pytest.mark.parametrize(("name", "call", "words"), WRONG, ids=[f"{k} {name}" for k, (name, _, _) in enumerate(WRONG)])
def test_a_mistake_is_one_line(name, call, words):
    with pytest.raises(parasym.SymmetryError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_every_verb_is_in_the_table():
    verbs = {"find", "verify", "match", "match_many", "merge", "distance", "canonicalize", "barrier", "path", "break_"}
    assert verbs | {"train_population"} <= {name.partition(",")[0] for name, _, _ in WRONG}
    assert verbs - {"find", "break_"} <= {name.partition(",")[0] for name in SAME}


def test_parameters_are_shared_and_carry_no_gradients():
    found = as_params(A, "a", "match(symmetry, a, b)")
    assert found["0.weight"].data_ptr() == net_weight(A).data_ptr()
    assert not found["0.weight"].requires_grad
    given = {"w": torch.ones(2, requires_grad=True)}
    assert not as_params(given, "a", "")["w"].requires_grad


def net_weight(model: nn.Module) -> torch.Tensor:
    return next(model.parameters())


def test_a_result_says_what_of_it_to_pass():
    class Result:
        params = P

    with pytest.raises(parasym.SymmetryError, match=r"Pass its `\.params`"):
        parasym.match(Symmetry((), SYMMETRY.shapes), Result(), P)  # pyright: ignore[reportArgumentType]


def test_a_loss_that_is_a_module_is_no_model():
    with pytest.raises(parasym.SymmetryError, match="`model` must"):
        parasym.barrier(cross_entropy, A, B, X, Y)  # pyright: ignore[reportArgumentType]
