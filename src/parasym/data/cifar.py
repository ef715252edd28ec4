"""CIFAR-10: from Parquet files in the layout of Hugging Face, or from torchvision's folder by torchvision."""

from pathlib import Path

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.data.columns import load_columns
from parasym.data.images import Images, chosen, normalised

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Those of ImageNet, as the paper on asymmetric networks has it."""

BATCHES = "cifar-10-batches-py"


def load_cifar10(path: Path | None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> Images:
    """Return CIFAR-10: 50,000 train and 10,000 test images of 32 by 32 in color, or a part of them.

    Args:
        path: A folder with ``train.parquet`` and ``test.parquet`` (columns ``img.bytes`` and ``label``), or one that torchvision
            filled (with ``cifar-10-batches-py`` below, which are pickles and are left to torchvision to read).
        train: How many train images; ``None`` for all.
        test: How many test images; ``None`` for all.
        seed: Seed of the choice.

    Raises:
        BadInputError: If the folder is missing or does not hold either layout.

    References:
        Krizhevsky. Learning multiple layers of features from tiny images. 2009.
    """
    if path is None:
        raise BadInputError("Data `cifar10` needs a path: pass the folder of its Parquet files, as in --data cifar10=FOLDER.")
    path = Path(path)
    if (path / BATCHES).is_dir():
        return _torchvision(path, train, test, seed)
    return load_columns(path, name="cifar10", mean=MEAN, deviation=DEVIATION, classes=10, train=train, test=test, seed=seed)


def _torchvision(path: Path, train: int | None, test: int | None, seed: int) -> Images:
    try:
        from torchvision.datasets import CIFAR10
    except (ImportError, RuntimeError) as error:
        raise BadInputError(
            f"Data `cifar10`: `{path}` holds torchvision's pickles, and torchvision cannot be imported ({error}). Install it, or"
            " give a folder with train.parquet and test.parquet."
        ) from error
    try:
        parts = [CIFAR10(str(path), train=part, download=False) for part in (True, False)]
    except RuntimeError as error:
        raise BadInputError(f"Data `cifar10`: torchvision cannot read `{path}`: {error}.") from error
    found: list[Tensor] = []
    for part, wanted, data in (("train", train, parts[0]), ("test", test, parts[1])):
        index = chosen(len(data.targets), wanted, name="cifar10", part=part, seed=seed)
        found += [torch.from_numpy(data.data)[index].movedim(-1, 1).float() / 255, torch.tensor(data.targets)[index]]
    return normalised("cifar10", *found, mean=MEAN, deviation=DEVIATION)
