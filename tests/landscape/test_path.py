"""Curves of many networks are the curves of each, and distances are by hand."""

import itertools
import math

import pytest
import torch
from torch import nn
from torch._C._functorch import is_batchedtensor  # pyright: ignore[reportMissingImports]

from parasym.core import BadInputError
from parasym.functional import Call
from parasym.functional.outputs import prediction
from parasym.landscape import barrier, evaluate, path, summarize
from tests.orbit.networks import batchnorm_cnn, relu_mlp


def data(shape: tuple[int, ...], classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return torch.randn(13, *shape, generator=g, dtype=torch.float64), torch.randint(classes, (13,), generator=g)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("few", [True, False])
def test_many_are_each(together, few, monkeypatch):
    case = relu_mlp()
    monkeypatch.setattr(evaluate, "_pays", lambda *_: together)
    if few:
        monkeypatch.setattr(evaluate, "CHUNK_POINTS", 3)
    x, y = data((4,), 3)
    starts, ends = [case.params(k) for k in (0, 1, 2)], [case.params(k) for k in (3, 4, 5)]
    found = path(case.model, starts, ends, x, y, points=5, batch_size=4)
    monkeypatch.undo()
    for a, b, curve in zip(starts, ends, found, strict=True):
        one = barrier(case.model, a, b, x, y, points=5)
        assert curve.loss == pytest.approx(one.loss)
        assert curve.accuracy == pytest.approx(one.accuracy)
        assert curve.t == one.t
        length = math.sqrt(sum(float(((b[n] - a[n]) ** 2).sum()) for n in a))
        assert curve.distance == pytest.approx([length * t for t in (0, 0.25, 0.5, 0.75, 1)])
    assert found[0].loss != pytest.approx(found[1].loss)
    assert found[0].monotonicity.rise == pytest.approx(max(b - a for a, b in zip(found[0].loss, found[0].loss[1:], strict=False)))


def test_a_loss_for_each():
    case = relu_mlp()
    x, y = data((4,), 3)
    a, b = case.params(0), case.params(1)
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3)
    plain, smoothed = path(case.model, [a, a], [b, b], x, y, points=3, loss=[nn.functional.cross_entropy, smooth])
    assert plain.loss == pytest.approx(barrier(case.model, a, b, x, y, points=3).loss)
    assert smoothed.loss == pytest.approx(barrier(case.model, a, b, x, y, points=3, loss=smooth).loss)
    assert plain.loss != pytest.approx(smoothed.loss)


def test_statistics_at_every_point():
    case = batchnorm_cnn()
    x, y = data((2, 7, 7), 4)
    starts, ends = [case.params(0), case.params(2)], [case.params(1), case.params(3)]
    found = path(case.model, starts, ends, x, y, points=3, statistics=[x])
    for a, b, curve in zip(starts, ends, found, strict=True):
        assert curve.loss == pytest.approx(barrier(case.model, a, b, x, y, points=3, statistics=[x]).loss)
    # running statistics are no parameters: they do not count in the distance
    names = [n for n, _ in case.model.named_parameters()]
    length = math.sqrt(sum(float(((ends[0][n] - starts[0][n]) ** 2).sum()) for n in names))
    assert found[0].distance[-1] == pytest.approx(length)


def test_diverged_networks_get_nan():
    case = relu_mlp()
    x, y = data((4,), 3)
    a, b = case.params(0), case.params(1)
    wild = {n: v * torch.inf for n, v in b.items()}
    curves = path(case.model, [a, a], [wild, b], x, y, points=5)
    assert all(map(math.isnan, curves[0].loss))
    assert all(map(math.isfinite, curves[1].loss))
    assert summarize([c.loss for c in curves]).diverged == 1


def test_convolutions_are_measured_and_a_model_that_reads_values_goes_one_by_one():
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.inner(x)
            return out if float(out.sum()) < float("inf") else -out

    model = Reads()
    params = {n: p.detach() for n, p in model.named_parameters()}
    t = torch.linspace(0, 1, 3)
    batches = [(Call((torch.zeros(2, 4),)), torch.zeros(2))]
    assert not evaluate._pays(model, params, params, t, batches, prediction)
    wide = nn.Sequential(*(nn.Linear(4, 4) for _ in range(3)))
    params = {n: p.detach() for n, p in wide.named_parameters()}
    assert evaluate._pays(wide, params, params, torch.linspace(0, 1, 25), batches, prediction)


def test_bad_input():
    case = relu_mlp()
    x, y = data((4,), 3)
    a, b = case.params(0), case.params(1)
    with pytest.raises(BadInputError, match="one entry for each network"):
        path(case.model, [a, b], [b], x, y)
    with pytest.raises(BadInputError, match="one entry for each network"):
        path(case.model, [a], [b], x, y, loss=[nn.functional.cross_entropy] * 2)
    with pytest.raises(BadInputError, match="at least 2"):
        path(case.model, [a], [b], x, y, points=1)
    with pytest.raises(BadInputError, match="equally many"):
        path(case.model, [a], [b], x, y[:-1])
    with pytest.raises(BadInputError, match="of this model"):
        path(case.model, [a], [dict.fromkeys(b, torch.zeros(1))], x, y)


def test_two_points_are_the_ends_and_fewer_are_none():
    case = relu_mlp()
    x, y = data((4,), 3)
    a, b = case.params(0), case.params(1)
    [ends] = path(case.model, [a], [b], x, y, points=2)
    assert ends.t == (0.0, 1.0)
    assert ends.loss == pytest.approx([barrier(case.model, a, b, x, y, points=3).loss[k] for k in (0, 2)])
    with pytest.raises(BadInputError, match="`points` must be at least 2, but is 1"):
        path(case.model, [a], [b], x, y, points=1)


def test_what_is_timed_is_done_once():
    done: list[int] = []
    assert evaluate._seconds(lambda: done.append(sum(range(100_000))), torch.device("cpu")) > 0
    assert len(done) == 1


def test_chunks_are_every_point_once_and_no_larger_than_they_may(monkeypatch: pytest.MonkeyPatch):
    params = {"w": torch.zeros(8)}  # 32 bytes
    for fit, together in ((1, False), (1, True), (2, True), (5, True), (6, True), (100, True)):
        monkeypatch.setattr(evaluate, "CHUNK_BYTES", 32 * fit if together else 2**20)
        chunks = [(range(3)[k], range(5)[j]) for k, j in evaluate._chunks(params, 3, 5, together=together)]
        assert sorted((k, j) for ks, js in chunks for k in ks for j in js) == [(k, j) for k in range(3) for j in range(5)]
        assert max(len(ks) * len(js) for ks, js in chunks) == {6: 5, 100: 15}.get(fit, fit)
    monkeypatch.setattr(evaluate, "CHUNK_BYTES", 1)
    assert all(len(range(3)[k]) * len(range(5)[j]) == 1 for k, j in evaluate._chunks(params, 3, 5, together=True))
    monkeypatch.setattr(evaluate, "CHUNK_BYTES", 32 * 100)
    assert list(evaluate._chunks(params, 3, 5, together=True)) == [(slice(0, 20), slice(0, 5))]


@pytest.mark.parametrize("points", [3, 8, 25])
def test_points_are_evaluated_together_where_it_takes_at_most_so_many_times_as_long(points, monkeypatch):
    ticks = itertools.count()  # a number that the model held would be put back after every call

    class Timed(nn.Module):
        def __init__(self, batched):
            super().__init__()
            self.weight, self.batched = nn.Parameter(torch.randn(2, 4)), batched

        def forward(self, x):
            for _ in range(self.batched if is_batchedtensor(self.weight) else 1000):
                next(ticks)
            return x @ self.weight.T

    def seconds(job, device):
        start = next(ticks)
        job()
        return next(ticks) - start

    monkeypatch.setattr(evaluate, "_seconds", seconds)
    limit = round(1000 * evaluate.SLOWER * min(points, 8))
    for batched, expected in ((1, True), (limit - 50, True), (limit + 50, False), (2 * limit - 50, False)):
        model = Timed(batched)
        params = {n: p.detach() for n, p in model.named_parameters()}
        batches = [(Call((torch.zeros(5, 4),)), torch.zeros(5))]
        assert evaluate._pays(model, params, params, torch.linspace(0, 1, points), batches, prediction) == expected
