"""A split of labelled images, the one value that every source returns."""

import hashlib
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from parasym.core import BadInputError, child_generator


@dataclass(frozen=True, eq=False)
class Images:
    r"""Labelled images, split into train and test and normalised.

    A pixel of raw value :math:`p` (between 0 and 1, but for the digits, whose pixels count from 0 to 16) is kept as
    :math:`(p - \mu_c) / \sigma_c` in channel :math:`c`.

    Attributes:
        name: Name of the source.
        train_images: Of shape ``[n, channels, height, width]``, or ``[n, features]`` after :meth:`flat`.
        train_labels: Classes, of shape ``[n]``.
        test_images: Normalised with the same numbers as the train images.
        test_labels: Classes.
        mean: What was subtracted, one number per channel.
        deviation: What was divided by, one number per channel.
        classes: Number of classes.
    """

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    classes: int = 10

    def flat(self) -> "Images":
        """Return the same images as vectors.

        Example:
            >>> tuple(normalised("two", *([torch.zeros(2, 1, 3, 3), torch.arange(2)] * 2)).flat().train_images.shape)
            (2, 9)
        """
        return replace(self, train_images=self.train_images.flatten(1), test_images=self.test_images.flatten(1))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of images and labels: the same numbers in the same order have the same one."""
        digest = hashlib.sha256()
        for part in (self.train_images, self.train_labels, self.test_images, self.test_labels):
            digest.update(f"{part.dtype}{tuple(part.shape)}".encode())
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def normalised(
    name: str,
    train_images: Tensor,
    train_labels: Tensor,
    test_images: Tensor,
    test_labels: Tensor,
    *,
    mean: tuple[float, ...] = (0.0,),
    deviation: tuple[float, ...] = (1.0,),
    classes: int = 10,
) -> Images:
    """Return images normalised channel by channel.

    Args:
        name: Name of the source.
        train_images: Between 0 and 1, of shape ``[n, channels, height, width]``.
        train_labels: Of shape ``[n]``.
        test_images: As the train images.
        test_labels: As the train labels.
        mean: Of every channel.
        deviation: Of every channel, positive.
        classes: Number of classes.

    Raises:
        BadInputError: If there are not as many images as labels, none at all, or a label that is no class.

    Example:
        >>> one = torch.full((1, 1, 1, 1), 0.75)
        >>> normalised("one", one, torch.zeros(1), one, torch.zeros(1), mean=(0.5,), deviation=(0.25,)).test_images.item()
        1.0
    """
    for part, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
        if len(images) != len(labels) or len(labels) == 0:
            raise BadInputError(f"Data `{name}` must have as many {part} images as labels, but has {len(images)}, {len(labels)}.")
        if labels.min() < 0 or labels.max() >= classes:
            raise BadInputError(
                f"Data `{name}` must have {part} labels from 0 to {classes - 1}, but has {int(labels.min())} to"
                f" {int(labels.max())}."
            )
    shift, scale = (torch.tensor(x).view(1, -1, 1, 1) for x in (mean, deviation))
    train, test = ((x.float() - shift) / scale for x in (train_images, test_images))
    return Images(name, train, train_labels.long(), test, test_labels.long(), mean, deviation, classes)


def chosen(count: int, wanted: int | None, *, name: str, part: str, seed: int) -> Tensor:
    """Return which of ``count`` examples are used: all in their order, or a random part of them in its order.

    A smaller part of the same seed is the beginning of a larger one.

    Args:
        count: How many there are.
        wanted: How many are used; ``None`` for all.
        name: Name of the source, for the error.
        part: ``train`` or ``test``.
        seed: Seed of the choice.

    Raises:
        BadInputError: If more are wanted than there are, or none.

    Example:
        >>> chosen(5, 3, name="five", part="train", seed=0), chosen(5, 2, name="five", part="train", seed=0)
        (tensor([1, 0, 4]), tensor([1, 0]))
    """
    if wanted is None:
        return torch.arange(count)
    if not 1 <= wanted <= count:
        raise BadInputError(f"Data `{name}` has {count} {part} images, but {wanted} are wanted. Ask for 1 to {count}.")
    return torch.randperm(count, generator=child_generator(seed, f"{name} {part}"))[:wanted]
