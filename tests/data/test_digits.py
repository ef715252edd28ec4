"""The digits are split by the seed, standardised on the train images, and missed with a remedy."""

import sys

import pytest
import torch

from parasym.core import BadInputError
from parasym.data import load_digits


def test_split_is_a_partition_decided_by_the_seed() -> None:
    a, b, c = load_digits(seed=0), load_digits(seed=0), load_digits(seed=1)
    assert torch.equal(a.train_images, b.train_images)
    assert not torch.equal(a.train_labels, c.train_labels)
    both = torch.cat((a.train_images, a.test_images))
    other = torch.cat((c.train_images, c.test_images)) * 1.0
    assert both.shape == (1797, 64)
    assert len(a.test_labels) == 359
    assert torch.bincount(torch.cat((a.train_labels, a.test_labels))).tolist() == [
        178,
        182,
        177,
        183,
        181,
        182,
        181,
        179,
        174,
        180,
    ]
    assert both.unique(dim=0).shape == other.unique(dim=0).shape


def test_train_images_are_standardised() -> None:
    digits = load_digits(images=True, dtype=torch.float64)
    assert digits.train_images.shape[1:] == (1, 8, 8)
    assert abs(float(digits.train_images.mean())) < 1e-12
    assert abs(float(digits.train_images.std()) - 1) < 1e-12
    assert abs(float(digits.test_images.mean())) > 1e-6  # its own mean was not used


def test_missing_scikit_learn_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(BadInputError, match="pip install scikit-learn"):
        load_digits()


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1])
def test_bad_share_is_refused(share: float) -> None:
    with pytest.raises(BadInputError, match="between 0 and 1"):
        load_digits(test_share=share)
