"""The loss of many batches is the loss of all samples at once, whatever is averaged and whatever a model returns."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from parasym.core import BadInputError, model_params
from parasym.functional import Call
from parasym.landscape import barrier, path
from parasym.landscape.loss import averaged

G = torch.Generator().manual_seed(0)
X, Y = torch.randn(11, 4, generator=G).double(), torch.tensor([0, 1, 2, 0, 0, 0, 2, -100, -100, -100, 1])
WEIGHT = torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64)
SOFT = torch.rand(11, 3, generator=G).double()

CLASSES = {
    "plain": functional.cross_entropy,
    "weights": partial(functional.cross_entropy, weight=WEIGHT),
    "weights and smoothing": partial(functional.cross_entropy, weight=WEIGHT, label_smoothing=0.2),
    "module": nn.CrossEntropyLoss(weight=WEIGHT),
    "another ignored": nn.CrossEntropyLoss(ignore_index=0),
    "lambda": lambda o, y: functional.cross_entropy(o, y, weight=WEIGHT),
    "likelihood": lambda o, y: functional.nll_loss(o.log_softmax(1), y, weight=WEIGHT),
    "worst": lambda o, y: functional.cross_entropy(o, y, reduction="none").max(),  # no mean at all
}
NUMBERS = {
    "squares": functional.mse_loss,
    "module": nn.SmoothL1Loss(),
    "logits": nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 2.0, 3.0])),
    "summed": nn.MSELoss(reduction="sum"),
    "soft classes": partial(functional.cross_entropy, weight=WEIGHT),
}


def net(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double().requires_grad_(False)


@pytest.mark.parametrize(
    ("name", "loss", "targets"),
    [
        *((name, loss, torch.where(Y == -100, 0, Y) if name == "another ignored" else Y) for name, loss in CLASSES.items()),
        *((name, loss, SOFT) for name, loss in NUMBERS.items()),
    ],
)
@pytest.mark.parametrize("size", [2, 3, 11])
def test_batches_give_the_loss_of_everything(name, loss, targets, size):
    model, a, b = net(0), model_params(net(0)), model_params(net(1))
    found = barrier(model, a, b, X, targets, points=3, loss=loss, batch_size=size)
    for t, value in zip(found.t, found.loss, strict=True):
        point = {n: (1 - t) * a[n] + t * b[n] for n in a}
        assert value == pytest.approx(float(loss(torch.func.functional_call(model, point, (X,)), targets)), rel=1e-12)


def test_the_mean_of_means_would_be_another_number():
    model, a, b = net(0), model_params(net(0)), model_params(net(1))
    loss = partial(functional.cross_entropy, weight=WEIGHT)
    found = barrier(model, a, b, X[:6], Y[:6], points=3, loss=loss, batch_size=3).loss[0]
    means = [float(loss(model(X[k : k + 3]), Y[k : k + 3])) for k in (0, 3)]
    assert abs(found - sum(means) / 2) > 1e-2


def test_ignored_classes_count_nowhere():
    model, a = net(0), model_params(net(0))
    found = barrier(model, a, a, X, Y, points=3, batch_size=4)
    kept = Y >= 0
    assert found.accuracy[0] == pytest.approx(float((model(X[kept]).argmax(1) == Y[kept]).double().mean()))
    assert found.accuracy[0] > 0
    nothing = barrier(model, a, a, X, torch.full((11,), -100), points=3)
    assert nothing.accuracy == ()
    assert nothing.loss[0] != nothing.loss[0], "a mean over nothing"


def test_what_is_known_of_losses():
    assert averaged(nn.CrossEntropyLoss()) is not None
    assert averaged(partial(functional.cross_entropy, reduction="sum")) is None
    assert averaged(nn.MSELoss(reduction="sum")) is None
    assert averaged(lambda o, y: functional.cross_entropy(o, y)) is None
    with pytest.raises(BadInputError, match=r"must return one number, .* but returned \(11,\)"):
        barrier(net(0), model_params(net(0)), model_params(net(0)), X, Y, loss=lambda o, y: o[:, 0] - y)


@dataclass
class Output:
    loss: Tensor | None
    logits: Tensor


class Classifier(nn.Module):
    """As those of HuggingFace: two inputs by name, and an object as output."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.out = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Any:
        h = self.embed(input_ids)
        h = h if attention_mask is None else h * attention_mask[..., None]
        return Output(None, self.out(torch.tanh(h.sum(1))))


def test_inputs_by_name_outputs_as_objects_and_loaders():
    torch.manual_seed(0)
    model = Classifier().requires_grad_(False)
    a, b = model_params(model), {n: x + 0.1 for n, x in model_params(model).items()}
    ids, mask, y = torch.randint(9, (10, 5)), torch.randint(2, (10, 5)), torch.randint(3, (10,))
    whole = barrier(model, a, b, {"input_ids": ids, "attention_mask": mask}, y, points=3, batch_size=4)
    expected = float(functional.cross_entropy(model(ids, mask).logits, y))
    assert whole.loss[0] == pytest.approx(expected, rel=1e-5)
    assert whole.accuracy[0] == pytest.approx(float((model(ids, mask).logits.argmax(1) == y).double().mean()))
    own = barrier(
        model, a, b, Call((ids, mask)), y, points=3, batch_size=4, loss=lambda o, t: functional.cross_entropy(o.logits, t)
    )
    assert own.loss == pytest.approx(whole.loss, rel=1e-5)
    loader = [((ids[:7], mask[:7]), y[:7]), ({"input_ids": ids[7:], "attention_mask": mask[7:]}, y[7:])]
    assert barrier(model, a, b, loader, points=3).loss == pytest.approx(whole.loss, rel=1e-5)
    alone = barrier(model, a, b, DataLoader(TensorDataset(ids, y), batch_size=4), points=3)
    assert alone.loss == pytest.approx(barrier(model, a, b, ids, y, points=3).loss, rel=1e-5)
    (curve,) = path(model, [a], [b], loader, points=3)
    assert curve.loss == pytest.approx(whole.loss, rel=1e-5)
    assert curve.accuracy == whole.accuracy


class Graph(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        return self.out(torch.zeros_like(x).index_add(0, edge_index[1], x[edge_index[0]]) + x)


def test_a_graph_is_evaluated_whole():
    model = Graph().double().requires_grad_(False)
    edges = torch.randint(11, (2, 30), generator=G)
    a, b = model_params(model), {n: x + 0.1 for n, x in model_params(model).items()}
    found = barrier(model, a, b, (X, edges), Y, points=3, batch_size=None)
    assert found.loss[0] == pytest.approx(float(functional.cross_entropy(model(X, edges), Y)))
    with pytest.raises(BadInputError, match="batch_size=None"):
        barrier(model, a, b, (X, edges), Y, points=3)


def test_images_of_classes():
    model = nn.Conv2d(2, 3, 1).requires_grad_(False)
    a, x, y = model_params(model), torch.randn(5, 2, 4, 4, generator=G), torch.randint(3, (5, 4, 4), generator=G)
    found = barrier(model, a, a, x, y, points=3, batch_size=2)
    assert found.accuracy[0] == pytest.approx(float((model(x).argmax(1) == y).double().mean()))
