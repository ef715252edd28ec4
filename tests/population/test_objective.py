"""Losses of many networks at once, and their gradients, against one network after the other."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from parasym.core import BadInputError
from parasym.population.objective import Objective

NETWORKS, N, CLASSES = 3, 7, 5
G = torch.Generator().manual_seed(0)
OUTPUTS = torch.randn(NETWORKS, N, CLASSES, generator=G, dtype=torch.float64)
NUMBERS = torch.randint(CLASSES, (NETWORKS, N), generator=G)
SOFT = torch.randn(NETWORKS, N, CLASSES, generator=G, dtype=torch.float64).softmax(-1)
LOSSES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = {
    "cross-entropy": (F.cross_entropy, NUMBERS),
    "cross-entropy with probabilities": (F.cross_entropy, SOFT),
    "of log-probabilities": (F.nll_loss, NUMBERS),
    "squares": (F.mse_loss, SOFT),
    "one of its own": (lambda outputs, labels: outputs.gather(1, labels[:, None]).sin().mean(), NUMBERS),
}


def one_by_one(loss: Callable[..., Tensor], labels: Tensor, smoothing: Tensor) -> tuple[Tensor, Tensor]:
    outputs = OUTPUTS.clone().requires_grad_()
    more = [{"label_smoothing": float(s)} if s else {} for s in smoothing]
    losses = torch.stack([loss(*pair, **m) for *pair, m in zip(outputs, labels, more, strict=True)])
    return losses.detach(), torch.autograd.grad(losses.sum(), outputs)[0]


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_together_as_one_by_one(name: str, smooth: bool) -> None:
    loss, labels = LOSSES[name]
    smoothing = torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64) * smooth
    if smooth and loss is not F.cross_entropy:
        with pytest.raises(BadInputError, match="belongs to the cross-entropy"):
            Objective(loss, smooth)
        return
    objective = Objective(loss, smooth)
    if smooth and labels is SOFT:
        with pytest.raises(RuntimeError, match="label smoothing together"):
            objective.many(OUTPUTS, labels, smoothing, shared=False)
        return
    losses, slopes = one_by_one(loss, labels, smoothing)
    torch.testing.assert_close(objective.many(OUTPUTS, labels, smoothing, shared=False), losses)
    found, gradients = objective.slopes(OUTPUTS.transpose(1, 2), labels, smoothing)
    torch.testing.assert_close(found, losses)
    torch.testing.assert_close(gradients.transpose(1, 2), slopes)
    shared = objective.many(OUTPUTS, labels[0], smoothing, shared=True)
    torch.testing.assert_close(shared, one_by_one(loss, labels[:1].expand_as(labels), smoothing)[0])


def test_ignored_examples_do_not_count() -> None:
    labels = NUMBERS.clone()
    labels[:, 2], labels[1, 4] = -100, -100
    for smoothing in (torch.zeros(3, dtype=torch.float64), torch.tensor([0.0, 0.1, 0.3], dtype=torch.float64)):
        objective = Objective(F.cross_entropy, bool(smoothing.any()))
        found = objective.many(OUTPUTS, labels, smoothing, shared=False)
        torch.testing.assert_close(found, one_by_one(F.cross_entropy, labels, smoothing)[0])


def test_gradients_of_the_cross_entropy_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take a quarter of the time that way."""

    def refuse(*_: object, **__: object) -> Tensor:
        raise AssertionError("autograd was asked")

    monkeypatch.setattr(Objective, "many", refuse)
    smoothing = torch.zeros(3, dtype=torch.float64)
    Objective(F.cross_entropy, False).slopes(OUTPUTS.transpose(1, 2), NUMBERS, smoothing)
    for name in ("cross-entropy with probabilities", "of log-probabilities"):
        with pytest.raises(AssertionError, match="autograd was asked"):
            Objective(LOSSES[name][0], False).slopes(OUTPUTS.transpose(1, 2), LOSSES[name][1], smoothing)
