"""Arrays of the user's own are taken as they are, and what is wrong with a file is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from parasym.core import BadInputError
from parasym.data import load, load_own

X, Y = np.linspace(-1, 1, 12).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])


def written(folder: Path, **changes: Any) -> Path:
    arrays = {"x_train": X, "y_train": Y, "x_test": X[:3], "y_test": Y[:3]} | changes
    np.savez(folder / "own.npz", **{name: value for name, value in arrays.items() if value is not None})
    return folder / "own.npz"


def test_arrays_come_as_they_are(tmp_path: Path):
    own = load_own(written(tmp_path))
    assert torch.equal(own.train_images, torch.from_numpy(X).float())
    assert (own.train_labels.tolist(), own.test_labels.tolist(), own.classes) == (Y.tolist(), [0, 1, 2], 3)
    part = load_own(tmp_path / "own.npz", train=4, test=2)
    assert (len(part.train_images), len(part.test_labels)) == (4, 2)
    places = [next(k for k in range(6) if torch.equal(own.train_images[k], x)) for x in part.train_images]
    assert part.train_labels.tolist() == [int(Y[k]) for k in places]
    tokens = load_own(written(tmp_path, x_train=Y[:, None], x_test=Y[:3, None]))
    assert (tokens.train_images.dtype, tokens.fingerprint != own.fingerprint) == (torch.int64, True)
    single = load_own(written(tmp_path, x_train=X[:, 0], x_test=X[:3, 0]))
    assert single.train_images.tolist() == X[:, 0].astype(np.float32).tolist(), "one number each"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "must hold x_train, y_train, x_test, y_test, but lacks x_test"),
        ({"y_train": Y[:5]}, "must have as many x_train as y_train, but has 6 and 5"),
        ({"x_test": X[:3, :1]}, "must have train and test inputs of one shape, but has (2,) and (1,)"),
        (
            {"y_test": Y[:3] - 1},
            "y_test must be classes, whole numbers from 0 of shape [n], but is int64 of shape (3,) from -1 on",
        ),
        ({"y_test": Y[:3] / 2}, "y_test must be classes, whole numbers from 0 of shape [n], but is float64"),
        ({"x_train": np.full((6, 2), np.nan)}, "x_train must be finite"),
        ({"x_train": np.array(1.0)}, "x_train must be an array of numbers, but is float64 of shape ()"),
        ({"x_train": np.array(list("abcdef"))}, "x_train must be an array of numbers, but is <U1"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "as many x_train as y_train, but has 0 and 0"),
        ({"x_train": np.array([{}] * 6)}, "must be a .npz file of plain arrays"),
    ],
)
def test_what_does_not_fit_is_said(tmp_path: Path, changes: dict[str, Any], message: str):
    with pytest.raises(BadInputError) as error:
        load("own", written(tmp_path, **changes))
    assert message in str(error.value)
    assert "own.npz" in str(error.value)


def test_what_is_no_file_of_arrays_is_said(tmp_path: Path):
    with pytest.raises(BadInputError, match=r"needs a path: .* --data own=FILE\.npz"):
        load("own")
    with pytest.raises(BadInputError, match="does not exist"):
        load("own", tmp_path / "no.npz")
    for content in (b"", b"PK\x03\x04 cut", b"text"):
        (tmp_path / "bad.npz").write_bytes(content)
        with pytest.raises(BadInputError, match=r"must be a \.npz file of plain arrays"):
            load("own", tmp_path / "bad.npz")
    np.save(tmp_path / "one.npy", X)
    with pytest.raises(BadInputError, match=r"must be a \.npz file of plain arrays"):
        load("own", tmp_path / "one.npy")
