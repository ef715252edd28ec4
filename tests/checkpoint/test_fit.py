"""Fitting checkpoints to models: names, shapes, numbers, precision."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from parasym.checkpoint import Checkpoint, fit_checkpoint
from parasym.core import CheckpointError


class Tied(nn.Module):
    """An embedding tied to the output, and a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("table", torch.arange(3.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.embed(x) + self.table)


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


def checkpoint(**changes: Tensor | None) -> Checkpoint:
    params = {**model().state_dict(), **{name.replace("__", "."): value for name, value in changes.items()}}
    return Checkpoint(Path("a.pt"), {name: value for name, value in params.items() if value is not None})


def test_a_fitting_checkpoint_is_complete() -> None:
    given = checkpoint()
    fitted = fit_checkpoint(given, model())
    assert fitted.notes == ()
    assert sorted(fitted.params) == sorted(model().state_dict())
    assert all(torch.equal(fitted.params[name], value) for name, value in given.params.items())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"0__weight": None}, "misses `0.weight`"),
        ({"0__gain": torch.ones(4)}, "`0.gain`, which the model does not know"),
        ({"3__weight": torch.ones(2, 5)}, r"`3.weight` must have shape \(2, 4\) as in the model, but has shape \(2, 5\)"),
        ({"0__bias": torch.tensor([0.0, float("nan"), 1.0, float("inf")])}, "`0.bias` must be finite, but 2 of its 4 numbers"),
        ({"1__running_var": torch.full((4,), float("inf"))}, "`1.running_var` must be finite"),
        ({"0__weight": torch.ones(4, 3, dtype=torch.int8)}, "`0.weight` must be a parameter in float64.*int8"),
        ({"0__weight": torch.ones(4, 3).to(torch.float8_e4m3fn)}, "`0.weight` must be a parameter in float64.*float8"),
        ({"1__running_mean": None}, "misses `1.running_mean`"),
        ({"0__weight": torch.full((4, 3), 3e38)}, r"`0.weight` must have squares that add up.*float32.*3e\+38"),
        ({"0__weight": torch.full((4, 3), 1.5e19)}, r"`0.weight` must have squares that add up"),
        ({"0__weight": torch.full((4, 3), 1e200, dtype=torch.float64)}, r"`0.weight` must have squares that add up.*float64"),
        ({"0__weight": torch.full((4, 3), 3e38, dtype=torch.bfloat16)}, r"`0.weight` must have squares that add up.*float32"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Tensor | None], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        fit_checkpoint(checkpoint(**changes), model())


def test_another_architecture_is_called_so() -> None:
    other = Checkpoint(Path("a.pt"), dict(nn.LSTM(3, 4).state_dict()))
    with pytest.raises(CheckpointError, match=r"another architecture.*`0.weight`.*`weight_ih_l0`"):
        fit_checkpoint(other, model())


def test_old_checkpoints_without_batch_counts_fit() -> None:
    fitted = fit_checkpoint(checkpoint(**{"1__num_batches_tracked": None}), model())
    assert int(fitted.params["1.num_batches_tracked"]) == 0
    assert "1.num_batches_tracked" not in fitted.as_saved(fitted.params)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_and_given_back(dtype: torch.dtype) -> None:
    given = Checkpoint(Path("a.pt"), {k: v.to(dtype) if v.is_floating_point() else v for k, v in model().state_dict().items()})
    fitted = fit_checkpoint(given, model())
    assert fitted.params["0.weight"].dtype == torch.float32
    assert any("half precision" in note for note in fitted.notes)
    back = fitted.as_saved(fitted.params)
    assert all(torch.equal(back[name], value) and back[name].dtype == value.dtype for name, value in given.params.items())


@pytest.mark.parametrize(("kept", "filled"), [("embed.weight", "head.weight"), ("head.weight", "embed.weight")])
def test_a_tied_name_may_be_missing(kept: str, filled: str) -> None:
    weight = torch.randn(5, 3, generator=torch.manual_seed(0))
    fitted = fit_checkpoint(Checkpoint(Path("a.safetensors"), {kept: weight}), Tied())
    assert torch.equal(fitted.params[filled], weight)
    assert fitted.notes == (f"`{filled}` is tied to `{kept}` and taken from it",)
    assert sorted(fitted.as_saved(fitted.params)) == [kept]


def test_buffers_outside_the_state_dict_come_from_the_model() -> None:
    fitted = fit_checkpoint(Checkpoint(Path("a.pt"), {"embed.weight": torch.ones(5, 3)}), Tied())
    assert torch.equal(fitted.params["table"], torch.arange(3.0))


def test_a_buffer_without_values_is_named() -> None:
    with torch.device("meta"):
        empty = Tied()
    with pytest.raises(CheckpointError, match=r"`table` is on the meta device.*on the CPU"):
        fit_checkpoint(Checkpoint(Path("a.pt"), {"embed.weight": torch.ones(5, 3)}), empty)


class Masked(nn.Module):
    """A mask of minus infinity, and a record that begins at infinity: buffers that are no averages."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.register_buffer("mask", torch.full((2, 2), float("-inf")).triu(1))
        self.register_buffer("best", torch.tensor(float("inf")))
        self.register_buffer("far", torch.tensor(3e38))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x) @ self.get_buffer("mask").softmax(-1)


def test_buffers_may_hold_infinity_but_no_nan() -> None:
    masked = Masked()
    given = Checkpoint(Path("a.pt"), dict(masked.state_dict()))
    assert torch.equal(fit_checkpoint(given, masked).params["mask"], masked.get_buffer("mask"))
    bad = Checkpoint(Path("a.pt"), {**masked.state_dict(), "mask": torch.full((2, 2), float("nan"))})
    with pytest.raises(CheckpointError, match=r"`mask` must be numbers, but 4 of its 4 numbers are NaN"):
        fit_checkpoint(bad, masked)


@pytest.mark.parametrize("prefix", ["model.", "model.net.", "0."])
def test_what_a_trainer_puts_before_every_name_is_taken_off(prefix: str) -> None:
    given = Checkpoint(Path("a.ckpt"), {f"{prefix}{name}": value for name, value in model().state_dict().items()})
    fitted = fit_checkpoint(given, model())
    assert fitted.notes == (f"prefix `{prefix}` taken off every name",)
    assert sorted(fitted.as_saved(fitted.params)) == sorted(model().state_dict())


def test_a_prefix_of_some_names_only_is_another_architecture() -> None:
    given = {f"model.{name}": value for name, value in model().state_dict().items()} | {"loss.weight": torch.ones(2)}
    with pytest.raises(CheckpointError, match="another architecture"):
        fit_checkpoint(Checkpoint(Path("a.ckpt"), given), model())


def test_counters_that_the_file_lacks_are_said() -> None:
    fitted = fit_checkpoint(checkpoint(**{"1__num_batches_tracked": None}), model())
    assert fitted.notes == ("1 counters that the file lacks taken from the model: `1.num_batches_tracked`",)
