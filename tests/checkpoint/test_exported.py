"""Programs read as data compute what torch's own reader computes."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from parasym.checkpoint import read_checkpoint
from parasym.checkpoint.exported import read_exported
from parasym.core import CheckpointError

# What torch says of its own export while the files are made and read by torch.
pytestmark = pytest.mark.filterwarnings("ignore:The tensor attributes:UserWarning", "ignore:.isinstance.treespec:FutureWarning")


class Tied(nn.Module):
    """A recurrence, a head tied to its embedding, a mask by name, and results of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(5, 4), nn.LSTM(4, 4, batch_first=True), nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor, *, mask: dict[str, Tensor], times: int = 2) -> dict[str, Any]:
        y, (h, c) = self.rnn(self.embed(x))
        with torch.no_grad():
            total = y.sum() * times
        parts = y.masked_fill(mask["m"][..., None], float("-inf")).chunk(2, -1)
        return {"y": self.head(y), "parts": [*parts, (h, c)], "total": total, "none": None, "three": 3}


class Counts(nn.Module):
    """Buffers that are written to, kept and not kept, and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.plain = nn.BatchNorm1d(3), torch.ones(3)
        self.register_buffer("calls", torch.zeros(3), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        self.get_buffer("calls").add_(x.sum(0))
        return self.norm(x) + self.get_buffer("calls") + self.plain


class Chooses(nn.Module):
    """One of two graphs, by a condition."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, self.a, lambda x: self.b(x).sin(), (x,))


X = torch.randn(4, 3, generator=torch.manual_seed(0))
TOKENS = torch.tensor([[0, 3, 1], [2, 2, 4]])
CASES = {
    "tied": (Tied().eval(), (TOKENS,), {"mask": {"m": TOKENS == 2}, "times": 3}),
    "counts": (Counts().train(), (X,), {}),
    "chooses": (Chooses().eval(), (X,), {}),
}


@pytest.mark.parametrize("core", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_torch_computes(tmp_path: Path, name: str, core: bool) -> None:
    model, args, kwargs = CASES[name]
    program = torch.export.export(model, args, kwargs, strict=False)
    torch.export.save(program.run_decompositions() if core else program, tmp_path / "net.pt2")
    found, loaded = read_exported(tmp_path / "net.pt2"), torch.export.load(tmp_path / "net.pt2")
    assert found.examples is not None
    theirs = loaded.module()
    with torch.no_grad():
        for _ in range(2):  # what is written to counts in the second call
            ours = pytree.tree_leaves(found.module(*found.examples[0], **found.examples[1]))
            other = pytree.tree_leaves(theirs(*args, **kwargs))
            assert len(ours) == len(other) > 0
            assert all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in zip(ours, other, strict=True))
    assert sorted(found.module.state_dict()) == sorted(loaded.state_dict)
    assert sorted(read_checkpoint(tmp_path / "net.pt2").params) == sorted(loaded.state_dict)


def test_ties_stay_ties_and_shapes_are_those_it_was_exported_for(tmp_path: Path) -> None:
    model, args, kwargs = CASES["tied"]
    torch.export.save(torch.export.export(model, args, kwargs, strict=False), tmp_path / "net.pt2")
    module = read_exported(tmp_path / "net.pt2").module
    assert module.get_parameter("head.weight") is module.get_parameter("embed.weight")
    with pytest.raises(ValueError, match=r"input 1 must have the shape 2x3 that it was exported for, but has \(1, 3\)"):
        module(TOKENS[:1], **kwargs)
    with pytest.raises(ValueError, match=r"an argument must be 3, for which it was exported, but is 4"):
        module(TOKENS, **(kwargs | {"times": 4}))


def test_a_symbolic_size_is_free(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=2, max=64)
    model = nn.Sequential(nn.Linear(3, 4), nn.Flatten(0)).eval()
    torch.export.save(torch.export.export(model, (X,), dynamic_shapes=({0: batch},)), tmp_path / "net.pt2")
    module = read_exported(tmp_path / "net.pt2").module
    more = torch.randn(9, 3, generator=torch.manual_seed(1))
    torch.testing.assert_close(module(more), model(more))


def test_a_changed_byte_of_a_weight_is_noticed(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(nn.Linear(3, 2), (X,)), tmp_path / "net.pt2")
    data = bytearray((tmp_path / "net.pt2").read_bytes())
    weight = next(iter(read_checkpoint(tmp_path / "net.pt2").params.values()))
    data[data.index(weight.numpy().tobytes())] ^= 1
    (tmp_path / "net.pt2").write_bytes(data)
    for door in (read_exported, read_checkpoint):
        with pytest.raises(CheckpointError, match="wrong checksum"):
            door(tmp_path / "net.pt2")
