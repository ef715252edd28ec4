"""Weights told by the graph: whoever owns them and however they are applied, they are frozen; nothing is skipped in silence."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.breaking import BreakReport, WAsymmetric, break_, frozen_tensors
from parasym.core import BadInputError
from parasym.find import find
from parasym.symmetry import group_name


class Turned(nn.Module):
    """A linear map whose weight has its inputs first, as GPT-2 writes it."""

    def __init__(self, ins: int, outs: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(ins, outs)), nn.Parameter(torch.zeros(outs))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)


class Raw(nn.Module):
    """Parameters of the model itself, applied as functions; one that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(3, 6))
        self.unused = nn.Parameter(torch.randn(3, 6))

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(functional.linear(x, self.first).relu(), self.second)


class Unrolled(nn.Module):
    """A cell that is called step by step."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        cell: Any = kind
        self.cell, self.out = cell(4, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for _ in range(2):
            state = self.cell(x, state)
        return self.out(state[0] if isinstance(state, tuple) else state)


class Experts(nn.Module):
    """The weights of all experts in one tensor each."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.up, self.down = nn.Parameter(torch.randn(3, 4, 6)), nn.Parameter(torch.randn(3, 6, 2))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.einsum("bi,eih->beh", x, self.up).relu()
        return torch.einsum("beh,eho,be->bo", hidden, self.down, self.gate(x).softmax(-1))


class Adapter(nn.Module):
    """A layer that is not trained, and a low-rank update that is."""

    def __init__(self, ins: int, outs: int, rank: int) -> None:
        super().__init__()
        self.base = nn.Linear(ins, outs).requires_grad_(False)
        self.down, self.up = nn.Linear(ins, rank, bias=False), nn.Linear(rank, outs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + 0.5 * self.up(self.down(x))


class Merged(Adapter):
    """The same, the update added to the weight."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.base.weight + 0.5 * self.up.weight @ self.down.weight, self.base.bias)


def turned() -> nn.Module:
    return nn.Sequential(Turned(4, 6), nn.ReLU(), Turned(6, 3))


def adapted(kind: type[Adapter] = Adapter, rank: int = 2) -> nn.Module:
    return nn.Sequential(kind(4, 12, rank), nn.GELU(), kind(12, 3, rank))


def old_spectral_norm() -> nn.Module:
    return nn.Sequential(nn.utils.spectral_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 3))


UPDATES = ("0.down.weight", "0.up.weight", "2.down.weight", "2.up.weight")
CELL = ("cell.weight_ih", "cell.weight_hh", "out.weight")
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[str, ...]]] = {
    "inputs first": (turned, ("0.weight", "2.weight")),
    "raw": (Raw, ("first", "second")),
    "LSTMCell": (lambda: Unrolled(nn.LSTMCell), CELL),
    "GRUCell": (lambda: Unrolled(nn.GRUCell), CELL),
    "RNNCell": (lambda: Unrolled(nn.RNNCell), CELL),
    "experts": (Experts, ("gate.weight", "up", "down")),
    "old spectral norm": (old_spectral_norm, ("0.weight_orig", "2.weight")),
    "old spectral norm, eval": (lambda: old_spectral_norm().eval(), ("0.weight_orig", "2.weight")),
    "adapter": (adapted, UPDATES),
    "adapter of rank 1": (lambda: adapted(rank=1), ("0.down.weight", "2.down.weight")),
    "merged adapter": (lambda: adapted(Merged), UPDATES),
}


def inputs() -> Tensor:
    return torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


def left_by_name(report: BreakReport) -> dict[str, str]:
    """The reason for every name, the first if there are several."""
    out: dict[str, str] = {}
    for left in report.left:
        for name in left.names:
            out.setdefault(name, left.reason)
    return out


@pytest.mark.parametrize("name", MODELS)
def test_whatever_bears_a_wire_is_frozen(name: str):
    build, expected = MODELS[name]
    torch.manual_seed(0)
    model = build()
    broken = break_(model, WAsymmetric(frozen=0.5), inputs())
    assert {one.name for one in broken.report.broken} == set(expected)
    assert broken.model(inputs()).shape == (2, 3) if name != "experts" else (2, 2)
    for tensor, module, attribute, entries in frozen_tensors(broken.model):
        stored = dict(model.named_parameters())[tensor]
        assert torch.equal(getattr(module, attribute).detach(), torch.where(entries.mask, stored, entries.frozen))
    # Nothing is skipped in silence: a parameter is broken or it is among what is left.
    known = {one.name for one in broken.report.broken} | left_by_name(broken.report).keys()
    assert {n for n, _ in model.named_parameters()} <= known
    symmetry = broken.report.symmetry
    assert symmetry is not None
    moved = {group_name(f): f.tensors for f in symmetry.factors}
    assert not {n for names in moved.values() for n in names} & set(expected), moved
    before = find(model, inputs())
    assert before.order > 1 or before.dimension > 0


def test_rows_are_outputs_whatever_the_layout():
    """Fault: the first axis for rows, which here are inputs."""
    broken = break_(turned(), WAsymmetric(frozen={"0": 3, "2": 1}), inputs()).model
    masks = {name: entries.mask for name, _, _, entries in frozen_tensors(broken)}
    assert ((~masks["0.weight"]).sum(0) == 3).all()
    assert ((~masks["2.weight"]).sum(0) == 1).all()
    experts = break_(Experts(), WAsymmetric(frozen={"up": 1, "*": 0}), inputs()).model
    ((_, _, _, entries),) = frozen_tensors(experts)
    assert ((~entries.mask).sum(1) == 1).all()


def test_every_gate_of_a_cell_has_places_of_its_own():
    broken = break_(Unrolled(nn.LSTMCell), WAsymmetric(frozen=0.5), inputs()).model
    mask = next(entries.mask for name, _, _, entries in frozen_tensors(broken) if name == "cell.weight_hh")
    gates = mask.split(5)
    assert all(len(torch.unique(gate, dim=0)) == 5 for gate in gates)
    assert len({tuple(gate.flatten().tolist()) for gate in gates}) == 4


@pytest.mark.parametrize(
    ("kind", "gates"), [(nn.LSTM, 4), (nn.LSTMCell, 4), (nn.GRU, 3), (nn.GRUCell, 3), (nn.RNN, 1), (nn.RNNCell, 1)]
)
def test_recurrences_are_known_without_inputs(kind: Any, gates: int):
    suffix = "" if kind.__name__.endswith("Cell") else "_l0"
    report = break_(kind(4, 5), WAsymmetric(frozen=2)).report
    rows = f"in each of {5 * gates} rows"
    assert [(one.name, one.what) for one in report.broken] == [
        (f"weight_ih{suffix}", f"2 of 4 entries {rows}"),
        (f"weight_hh{suffix}", f"2 of 5 entries {rows}"),
    ]
    if gates > 1:  # a gate has a path of its own, and its rows need differ only among themselves
        model = break_(kind(4, 5), WAsymmetric(frozen={f"weight_hh{suffix}.1": 0, "*": 2})).model
        mask = next(entries.mask for name, _, _, entries in frozen_tensors(model) if name == f"weight_hh{suffix}")
        assert [int((~gate).sum()) for gate in mask.split(5)] == [10 * (k != 1) for k in range(gates)]


def test_reasons():
    raw = left_by_name(break_(Raw(), WAsymmetric(), inputs()).report)
    assert raw == {"unused": "no operation applies it to an activation as a linear map"}
    adapter = left_by_name(break_(adapted(rank=1), WAsymmetric(), inputs()).report)
    frozen = {
        name: "it is not trained, and so constant already" for k in (0, 2) for name in (f"{k}.base.weight", f"{k}.base.bias")
    }
    assert adapter == frozen | {f"{k}.up.weight": "its rows have only one place" for k in (0, 2)}
    zero = left_by_name(break_(turned(), WAsymmetric(frozen={"0": 2, "*": 0}), inputs()).report)
    assert zero["2.weight"] == "`frozen` is 0 for it"
    assert zero["0.bias"] == "vectors, which have no rows"


def test_numbers_that_are_not_trained_tell_channels_apart():
    """The base of an adapter is constant, so that the wires which it bears need no rows that differ."""
    broken = break_(adapted(), WAsymmetric(frozen=0.25), inputs())  # 12 rows of two places each
    assert broken.report.symmetry is not None
    assert broken.report.symmetry.factors == ()
    trained = adapted().requires_grad_(True)
    with pytest.raises(BadInputError, match=r"`0.up` is too narrow for distinct rows"):
        break_(trained, WAsymmetric(frozen={"*.base": 0, "*": 0.25}), inputs())


def test_without_inputs_every_matrix_that_is_not_frozen_is_listed():
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.known, self.raw, self.cube = nn.Linear(4, 6), nn.Parameter(torch.randn(3, 6)), nn.Parameter(torch.randn(2, 1, 3))
            self.still = nn.Linear(4, 4).requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            return (functional.linear(self.known(self.still(x)).relu(), self.raw) * self.cube).sum(0)

    report = break_(Mixed(), WAsymmetric()).report
    assert [one.name for one in report.broken] == ["known.weight"]
    unknown = "without `inputs` its use is not known"
    assert left_by_name(report) == {
        "raw": unknown,
        "cube": unknown,
        "still.weight": "it is not trained, and so constant already",
        "still.bias": "it is not trained, and so constant already",
        "known.bias": "vectors, which have no rows",
    }
    assert report.symmetry is None
    assert [one.name for one in break_(Mixed(), WAsymmetric(), torch.zeros(2, 4)).report.broken] == ["raw", "known.weight"]
    with pytest.raises(BadInputError, match=r"no weight to freeze: of `first`, without `inputs` .*, and 2 more are left out"):
        break_(Raw())


def test_the_padding_row_of_an_embedding_stays_zero():
    model = nn.Sequential(nn.Embedding(9, 6, padding_idx=2), nn.Linear(6, 5), nn.GELU(), nn.Linear(5, 3))
    tokens = torch.tensor([[1, 2, 3], [2, 2, 8]])
    for given in (tokens, None):
        for method in (WAsymmetric(frozen=0.5), WAsymmetric(frozen=4, init="kaiming")):
            broken: Any = break_(model, method, given).model
            entries = broken[0].parametrizations.weight[0]
            assert entries.mask[2].all()
            assert (broken[0].weight[2] == 0).all()
            assert ((~entries.mask).sum(0) == 4).all()  # columns are rows of the map
            broken(tokens).square().sum().backward()
            assert (broken[0].weight.grad[2] == 0).all()


def test_a_graph_that_cannot_be_read_is_said():
    class Numbers(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.raw = nn.Linear(4, 6), nn.Parameter(torch.randn(3, 6))

        def forward(self, x: Tensor) -> Tensor:
            h = self.fc(x)
            return functional.linear(h if float(h.sum()) > 0 else -h, self.raw)

    report = break_(Numbers(), WAsymmetric(), inputs()).report
    assert [one.name for one in report.broken] == ["fc.weight"]
    assert left_by_name(report)["raw"].startswith("its use is not known, because the graph cannot be read: ")
    with pytest.raises(BadInputError, match=r"needed with leftover='freeze'.* the graph cannot be read"):
        break_(Numbers(), WAsymmetric(leftover="freeze"), inputs())
