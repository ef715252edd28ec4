"""What the table of axes says, against the activations themselves: as many channels, and each with its own slice."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from parasym.functional import Call, batch_call
from parasym.orbit.axes import Axis, axes_of
from tests.orbit.activation_cases import CASES

Seen = tuple[nn.Module, Axis, Call, Any]


def seen(case: Any) -> list[Seen]:
    """Every axis that the modules of a model show in one call."""
    torch.manual_seed(0)
    model, found = case.build().double(), []

    def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        found.extend((module, axis, Call(args, kwargs), output) for axis in axes_of(module))

    for module in model.modules():
        module.register_forward_hook(note, with_kwargs=True)
    batch_call(case.batches()[0], model)(model)
    return [x for x in found if x[1].tensor in tensors(x[0])]


def tensors(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_axis_has_as_many_entries_as_the_activation_has_channels(case: Any) -> None:
    there = 0
    for module, axis, call, output in seen(case):
        activation = axis.read(module, call, output)
        if activation is not None:
            there += 1
            assert activation.shape[-1] == tensors(module)[axis.tensor].shape[axis.axis], (module, axis)
    assert there


def without(module: nn.Module, axis: Axis, c: int, call: Call) -> Tensor:
    """What is read when a slice of the tensor is zero."""
    tensor = module.get_parameter(axis.tensor)
    kept = tensor.clone()
    tensor.select(axis.axis, c).zero_()
    found = axis.read(module, call, call(module))
    tensor.copy_(kept)
    assert found is not None
    return found


@torch.no_grad()
@pytest.mark.parametrize("kdim", [8, 5])
def test_a_slice_of_attention_makes_its_own_channel(kdim: int) -> None:
    """Without a slice of a projection its channel of the activation is zero, and no other one changes."""
    torch.manual_seed(0)
    inner = nn.MultiheadAttention(8, 2, kdim=kdim, vdim=kdim, batch_first=True, bias=False).double()
    x = torch.randn(3, 4, 8, dtype=torch.float64)
    call = Call((x, x[..., :kdim], x[..., :kdim]))
    names = {name for name, _ in inner.named_parameters()}
    shown = [a for a in axes_of(inner) if a.where == "output" and a.tensor in names]
    assert len(shown) == 4
    for axis in shown:
        before = axis.read(inner, call, call(inner))
        assert before is not None
        own = before.abs().amax((0, 1)).nonzero().flatten().tolist()
        assert len(own) == 8
        for c in own[::3]:
            after = without(inner, axis, c, call)
            assert (after - before).abs().amax((0, 1)).nonzero().flatten().tolist() == [c]
            assert float(after[..., c].abs().max()) == 0
