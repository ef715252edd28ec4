"""Tied names: a file that disagrees with itself is refused, or the model is taken apart."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from parasym.checkpoint import Checkpoint, completed, conflicts, fit_checkpoint, tied_names, untie_
from parasym.core import BadInputError, CheckpointError


class Tied(nn.Module):
    """A language model whose head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x))


class Shared(nn.Module):
    """One block in two places, whose second layer looks at the memory of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
        self.block[1].weight = nn.Parameter(self.block.get_parameter("0.weight").detach())
        self.again = self.block
        self.register_buffer("scale", torch.ones(3))
        self.register_buffer("gain", self.get_buffer("scale"))

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.block(x) * self.get_buffer("scale")) * self.get_buffer("gain")


def of(model: nn.Module, **changes: Tensor | None) -> Checkpoint:
    params = {name: value.clone() for name, value in model.state_dict().items()}
    params |= {name.replace("__", "."): value for name, value in changes.items()}
    return Checkpoint(Path("a.pt"), {name: value for name, value in params.items() if value is not None})


def test_names_of_one_tensor() -> None:
    assert tied_names(Tied()) == {"head.weight": "embed.weight"}
    assert tied_names(Shared()) == {
        "block.1.weight": "block.0.weight",
        "again.0.weight": "block.0.weight",
        "again.0.bias": "block.0.bias",
        "again.1.weight": "block.0.weight",
        "again.1.bias": "block.1.bias",
        "gain": "scale",
    }
    assert tied_names(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))) == {}


@pytest.mark.parametrize("name", ["head.weight", "embed.weight"])
def test_a_file_that_disagrees_with_itself_is_refused(name: str) -> None:
    model = Tied()
    changed = of(model, **{name: model.embed.weight.detach() + 1})
    words = r"`head.weight` and `embed.weight` are tied in the model but differ in the file \(by 1\.0\).*--untie"
    with pytest.raises(CheckpointError, match=words):
        fit_checkpoint(changed, model)


def test_a_difference_of_one_entry_in_a_buffer_or_by_rounding_counts() -> None:
    model = Shared()
    one = torch.ones(3)
    one[2] += 1e-6
    with pytest.raises(CheckpointError, match=r"`gain` and `scale` are tied.*by 9\.5e-07"):
        fit_checkpoint(of(model, gain=one), model)
    half = of(model, again__1__weight=model.get_parameter("block.0.weight").detach().bfloat16())
    assert [conflict.name for conflict in conflicts(half, tied_names(model))] == ["again.1.weight"]


def test_values_that_agree_fit_whichever_names_are_there() -> None:
    model = Shared()
    fitted = fit_checkpoint(of(model, block__0__weight=None, again__0__weight=None, block__1__weight=None), model)
    assert all(torch.equal(fitted.params[name], value) for name, value in model.state_dict().items())
    assert "`block.0.weight` is tied to `again.1.weight` and taken from it" in fitted.notes


@pytest.mark.parametrize(
    ("build", "name", "x"),
    [
        (Tied, "head.weight", torch.tensor([[0, 3]])),
        (Shared, "again.1.bias", torch.randn(2, 3, generator=torch.manual_seed(0))),
        (Shared, "again.0.weight", torch.randn(2, 3, generator=torch.manual_seed(0))),
        (Shared, "gain", torch.randn(2, 3, generator=torch.manual_seed(0))),
    ],
)
def test_taken_apart_the_model_computes_with_both(build: type[nn.Module], name: str, x: Tensor) -> None:
    torch.manual_seed(0)
    model = build()
    before, ties = model(x), tied_names(model)
    file = of(model, **{name: model.state_dict()[name] + 1})
    untie_(model, name)
    assert torch.equal(model(x), before)  # nothing has another value yet
    assert set(tied_names(model)) == set(ties) - {name}
    fitted = fit_checkpoint(file, model)
    after = functional_call(model, fitted.params, (x,), tie_weights=False)
    assert float((after - before).detach().abs().max()) > 1e-2
    assert all(torch.equal(fitted.as_saved(fitted.params)[k], v) for k, v in file.params.items())


def test_a_file_with_one_name_begins_with_both() -> None:
    model = Tied()
    ties = tied_names(model)
    short = of(model, head__weight=None)
    whole = completed(short, ties, ["head.weight"])
    assert whole.notes == ("`head.weight` is not in the file and begins as `embed.weight`",)
    untie_(model, "head.weight")
    fitted = fit_checkpoint(whole, model)
    assert fitted.params["head.weight"].data_ptr() != fitted.params["embed.weight"].data_ptr()
    assert sorted(fitted.as_saved(fitted.params)) == ["embed.weight", "head.weight"]


def test_an_exported_program_has_one_tensor_for_both() -> None:
    program = torch.export.export(Tied().eval(), (torch.tensor([[0, 3]]),))
    with pytest.raises(BadInputError, match=r"cannot be untied in an exported program"):
        untie_(program.module(), "head.weight")
