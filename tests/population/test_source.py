"""Data as people have them give the same networks as tensors; what cannot be used is one line."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, Dataset, IterableDataset, SubsetRandomSampler, TensorDataset

from parasym.core import BadInputError
from parasym.population import TrainingPlan, train_population
from parasym.population.source import as_data
from tests.population.networks import data, images, perceptron

PLAN = TrainingPlan(epochs=2, batch=16, rate=1e-2)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(zip(*data(), strict=True))


class Items(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 6

    def __getitem__(self, k):
        return self.make(k)


SOURCES = {
    "arrays": lambda x, y: (x.double().numpy(), y.numpy().astype(np.int32)),
    "dataset": lambda x, y: (TensorDataset(x, y), None),
    "stream": lambda _x, _y: (Stream(), None),
    "loader": lambda x, y: (DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True), None),
    "pairs": lambda x, y: (DataLoader(list(zip(x, y, strict=True)), batch_size=16), None),  # pyright: ignore[reportArgumentType]
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_same_networks(name):
    x, y = data()
    right = train_population(perceptron, x, y, seeds=(0, 1), plan=PLAN, way="loop")
    given = SOURCES[name](x, y)
    found = train_population(perceptron, *given, seeds=(0, 1), plan=PLAN, way="loop")
    assert found.history == right.history
    other = train_population(perceptron, x + 1, y, seeds=(0, 1), plan=PLAN, way="loop")
    assert other.history != right.history


def test_several_inputs_of_a_dataset():
    found = as_data(TensorDataset(torch.zeros(4, 2), torch.ones(4, 3), torch.arange(4)))
    assert isinstance(found.x, tuple)
    assert [tuple(t.shape) for t in found.x] == [(4, 2), (4, 3)]
    nested = as_data(Items(lambda k: ((torch.zeros(2), torch.ones(3)), k)))
    assert isinstance(nested.x, tuple)
    assert nested.y.tolist() == [0, 1, 2, 3, 4, 5]


X, Y = data()
WRONG = {
    "labels twice": ((TensorDataset(X, Y), Y), "labels of its own"),
    "no labels": ((X, None), "without labels"),
    "sampler": ((DataLoader(TensorDataset(X, Y), batch_size=16, sampler=SubsetRandomSampler([1])), None), "SubsetRandomSampler"),
    "batch": ((DataLoader(TensorDataset(X, Y), batch_size=8), None), r"TrainingPlan\(batch=8\)"),
    "drop": ((DataLoader(TensorDataset(X, Y), batch_size=16, drop_last=True), None), "drop_last"),
    "mapping": ((Items(lambda k: {"ids": torch.zeros(2), "labels": k}), None), "dict with ids, labels"),
    "lengths": ((Items(lambda k: (torch.zeros(k), k)), None), "cannot be put into one tensor"),
    "objects": ((np.array([None] * 60), Y), "array of object"),
    "list": (([[0.0]], Y), "but is list"),
    "too few": ((X, Y[:5]), "equally many examples"),
    "number": ((X, torch.tensor(1)), "no axis"),
    "label out of range": ((X, Y + 1), "classes from 0 to 2, as the model has 3 outputs, but the one at"),
    "negative label": ((X, Y - 1), r"is -1"),
    "float labels": ((X, Y.double()), "The loss does not take outputs"),
    "width": ((X[:, :4], Y), r"does not run on examples of `x` of shapes \(2, 4\) float32"),
    "double": ((X.double(), Y), "does not run on examples"),
    "text": ((np.array(["a"] * 60), Y), "array of <U1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data_is_one_line(name):
    given, match = WRONG[name]
    with pytest.raises(BadInputError, match=match) as caught:
        train_population(perceptron, *given, seeds=(0,), plan=PLAN)
    assert "\n" not in str(caught.value)


def test_wrong_validation_and_model():
    with pytest.raises(BadInputError, match="labels of `validation` must be classes"):
        train_population(perceptron, X, Y, seeds=(0,), plan=PLAN, validation=(X, Y + 5))
    with pytest.raises(BadInputError, match="must return a tensor"):
        train_population(lambda: nn.LSTM(5, 3), X, Y, seeds=(0,), plan=PLAN)
    with pytest.raises(BadInputError, match="The loss does not take"):
        train_population(perceptron, X, torch.zeros(60, 7), seeds=(0,), plan=PLAN, loss=lambda a, b: mse_loss(a + b, b))


def test_ignored_labels_pass():
    x, y = images()
    y = y.clone()
    y[:3] = -100
    found = train_population(lambda: nn.Sequential(nn.Flatten(), nn.Linear(72, 3)), x, y, seeds=(0,), plan=PLAN)
    assert not found.diverged[0]
