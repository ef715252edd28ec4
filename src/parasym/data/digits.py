"""Scikit-learn's handwritten digits as tensors: 1,797 images of 8 by 8, without a download."""

from pathlib import Path

import torch

from parasym.core import BadInputError, child_generator
from parasym.data.images import Images, chosen


def load_digits(*, seed: int = 0, test_share: float = 0.2, images: bool = False, dtype: torch.dtype = torch.float32) -> Images:
    """Return the digits, standardised and split by a seed.

    All pixels share one mean and one deviation, those of the train images: border pixels are constant, so
    pixels of their own would divide by zero.

    Args:
        seed: Seed of the split.
        test_share: Share of the images in the test set, between 0 and 1.
        images: Whether images have shape ``[n, 1, 8, 8]``; otherwise ``[n, 64]``.
        dtype: Precision of the images.

    Raises:
        BadInputError: If scikit-learn is missing, or ``test_share`` is not between 0 and 1.

    Example:
        >>> digits = load_digits(seed=0)
        >>> tuple(digits.train_images.shape), tuple(digits.test_images.shape)
        ((1438, 64), (359, 64))

    References:
        Kaynak. Methods of combining multiple classifiers and their applications to handwritten digit
        recognition. 1995; the UCI set "Optical recognition of handwritten digits".
    """
    if not 0 < test_share < 1:
        raise BadInputError(f"Argument `test_share` must be between 0 and 1, but is {test_share}.")
    try:
        from sklearn import datasets
    except ImportError as error:
        raise BadInputError(
            "The digits come with scikit-learn, which is not installed. Run `pip install scikit-learn` (or"
            " install parasym[demo])."
        ) from error
    images_and_labels = datasets.load_digits(return_X_y=True)
    pixels, labels = (
        torch.as_tensor(images_and_labels[0], dtype=torch.float64),
        torch.as_tensor(images_and_labels[1], dtype=torch.int64),
    )
    order = torch.randperm(len(labels), generator=child_generator(seed, "digits split"))
    cut = len(labels) - round(len(labels) * test_share)
    train, test = order[:cut], order[cut:]
    mean, deviation = pixels[train].mean(), pixels[train].std()
    shape = (-1, 1, 8, 8) if images else (-1, 64)
    standard = ((pixels - mean) / deviation).reshape(shape).to(dtype)
    numbers = (float(mean),), (float(deviation),)
    return Images("digits", standard[train], labels[train], standard[test], labels[test], *numbers)


def digits_source(path: Path | None, *, train: int | None, test: int | None, seed: int) -> Images:
    """Return the digits as a source of the table: images, or a part of them.

    Args:
        path: Must be ``None``: the digits ship with scikit-learn.
        train: How many train images; ``None`` for all.
        test: How many test images; ``None`` for all.
        seed: Seed of split and choice.

    Raises:
        BadInputError: If a path is given, or more images are wanted than there are.
    """
    if path is not None:
        raise BadInputError(f"Data `digits` comes with scikit-learn and takes no path, but got `{path}`.")
    all_of_them = load_digits(seed=seed, images=True)
    a = chosen(len(all_of_them.train_labels), train, name="digits", part="train", seed=seed)
    b = chosen(len(all_of_them.test_labels), test, name="digits", part="test", seed=seed)
    return Images(
        "digits",
        all_of_them.train_images[a],
        all_of_them.train_labels[a],
        all_of_them.test_images[b],
        all_of_them.test_labels[b],
        all_of_them.mean,
        all_of_them.deviation,
    )
