"""Fashion-MNIST from its four IDX files, as Debian and torchvision lay them out."""

import gzip
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.data.images import Images, chosen, normalised

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MEAN, DEVIATION = (0.2860,), (0.3530,)
UNSIGNED_BYTE = 0x08


def load_fashion(path: Path | None = None, *, train: int | None = None, test: int | None = None, seed: int = 0) -> Images:
    """Return Fashion-MNIST: 60,000 train and 10,000 test images of 28 by 28, or a part of them.

    Args:
        path: A folder with ``train-images-idx3-ubyte`` and so on, each as it is or with ``.gz``, or one that has them below
            ``FashionMNIST/raw``. ``None`` for where Debian's package ``dataset-fashion-mnist`` puts them.
        train: How many train images; ``None`` for all.
        test: How many test images; ``None`` for all.
        seed: Seed of the choice.

    Raises:
        BadInputError: If the folder or a file is missing, or a file is not in the format.

    References:
        Xiao, Rasul, Vollgraf. Fashion-MNIST. 2017, https://arxiv.org/abs/1708.07747
    """
    folder = _folder(DEBIAN if path is None else Path(path))
    a, b = read_idx(_file(folder, "train-labels-idx1-ubyte")), read_idx(_file(folder, "t10k-labels-idx1-ubyte"))
    i = chosen(len(a), train, name="fashion", part="train", seed=seed)
    j = chosen(len(b), test, name="fashion", part="test", seed=seed)
    x, y = read_idx(_file(folder, "train-images-idx3-ubyte")), read_idx(_file(folder, "t10k-images-idx3-ubyte"))
    if len(x) != len(a) or len(y) != len(b):
        raise BadInputError(f"Data `fashion`: `{folder}` has {len(x)}, {len(y)} images, but {len(a)}, {len(b)} labels.")
    images = (x[i, None].float() / 255, a[i], y[j, None].float() / 255, b[j])
    return normalised("fashion", *images, mean=MEAN, deviation=DEVIATION)


def read_idx(path: Path) -> Tensor:
    """Return the array of unsigned bytes in an IDX file: magic number, big-endian lengths, bytes.

    Args:
        path: A file; with the ending ``.gz`` it is unpacked.

    Raises:
        BadInputError: If it is not such a file, or has fewer or more bytes than its header says.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise BadInputError(f"File `{path}` cannot be read: {error}.") from error
    axes = data[3] if len(data) >= 4 else 0
    if data[:2] != b"\0\0" or len(data) < 4 + 4 * axes or data[2] != UNSIGNED_BYTE or axes == 0:
        raise BadInputError(f"File `{path}` must be an IDX file of unsigned bytes, but begins with {data[:4].hex()}.")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", axes, 4))
    if len(data) != 4 + 4 * axes + math.prod(shape):
        raise BadInputError(f"File `{path}` must have {math.prod(shape)} bytes after its header, but is cut or longer.")
    return torch.from_numpy(np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape).copy())


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise BadInputError(
            f"Data `fashion`: folder `{path}` does not exist. Give the folder of the four IDX files; on Debian the package"
            " dataset-fashion-mnist has them."
        )
    below = path / "FashionMNIST" / "raw"
    return below if below.is_dir() else path


def _file(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise BadInputError(f"Data `fashion`: folder `{folder}` has neither `{name}` nor `{name}.gz`.")
