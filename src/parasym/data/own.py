"""Arrays of the user's own, in one .npz file."""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.data.images import Images, chosen

NAMES = ("x_train", "y_train", "x_test", "y_test")
"""Arrays of the file; others are not looked at."""


def load_own(path: Path | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> Images:
    """Return the arrays of a file as they are: inputs of any shape, and classes.

    Inputs of floating point become float32; whole numbers become int64, which is what embeddings take. Nothing is normalised.

    Args:
        path: A ``.npz`` file of ``x_train``, ``y_train``, ``x_test``, ``y_test``.
        train: How many train examples; ``None`` for all.
        test: How many test examples; ``None`` for all.
        seed: Seed of the choice.

    Raises:
        BadInputError: If the file is missing or no such file, or its arrays do not fit each other.

    Example:
        >>> import tempfile
        >>> x, y = np.eye(3), np.arange(3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(Path(folder) / "three.npz", x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
        ...     own = load_own(Path(folder) / "three.npz")
        >>> own.train_images.shape, own.test_labels.tolist(), own.classes
        (torch.Size([3, 3]), [0, 1], 3)
    """
    if path is None:
        raise BadInputError(f"Data `own` needs a path: pass a file of {', '.join(NAMES)}, as in --data own=FILE.npz.")
    arrays = _read(Path(path))
    parts: list[Tensor] = []
    for part, wanted in (("train", train), ("test", test)):
        x, y = _inputs(arrays[f"x_{part}"], path, part), _classes(arrays[f"y_{part}"], path, part)
        if len(x) != len(y) or len(y) == 0:
            raise BadInputError(f"Data `{path}` must have as many x_{part} as y_{part}, but has {len(x)} and {len(y)}.")
        index = chosen(len(x), wanted, name=str(path), part=part, seed=seed)
        parts += [x[index], y[index]]
    if parts[0].shape[1:] != parts[2].shape[1:]:
        shapes = [tuple(x.shape[1:]) for x in parts[::2]]
        raise BadInputError(f"Data `{path}` must have train and test inputs of one shape, but has {shapes[0]} and {shapes[1]}.")
    x, y, test_x, test_y = parts
    return Images("own", x, y, test_x, test_y, (0.0,), (1.0,), 1 + int(max(y.max(), test_y.max())))


def _read(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise BadInputError(f"Data `own`: file `{path}` does not exist.")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = [name for name in NAMES if name not in file.files]
            if missing:
                raise BadInputError(f"Data `{path}` must hold {', '.join(NAMES)}, but lacks {', '.join(missing)}.")
            return {name: file[name] for name in NAMES}
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(f"Data `{path}` must be a .npz file of plain arrays, but cannot be read as one: {error}.") from error


def _inputs(array: np.ndarray, path: Path, part: str) -> Tensor:
    if array.ndim < 1 or array.dtype.kind not in "fiub":
        raise BadInputError(f"Data `{path}`: x_{part} must be an array of numbers, but is {array.dtype} of shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadInputError(f"Data `{path}`: x_{part} must be finite, but holds NaN or infinity.")
    return torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))


def _classes(array: np.ndarray, path: Path, part: str) -> Tensor:
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array.size and array.min() < 0):
        least = f" from {array.min()} on" if array.ndim == 1 and array.dtype.kind in "iu" else ""
        raise BadInputError(
            f"Data `{path}`: y_{part} must be classes, whole numbers from 0 of shape [n], but is {array.dtype} of shape"
            f" {array.shape}{least}."
        )
    return torch.from_numpy(array.astype(np.int64))
