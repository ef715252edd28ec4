"""Images in the columns of a Hugging Face data set: encoded bytes and a label, in Parquet files."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.data.images import Images, chosen, normalised

IMAGE_COLUMNS, LABEL_COLUMNS = ("img", "image"), ("label", "labels")


def load_columns(
    path: Path,
    *,
    name: str,
    mean: tuple[float, ...],
    deviation: tuple[float, ...],
    classes: int,
    train: int | None = None,
    test: int | None = None,
    seed: int = 0,
) -> Images:
    """Return images from a folder of Parquet files in the column layout of Hugging Face.

    A split is the file ``train.parquet`` or the shards ``train-*.parquet``, there or in the folder ``data`` below.
    Images are the field ``bytes`` of the column ``img`` or ``image``, in any format that pillow reads; labels are the column
    ``label``.
    Only what is used is decoded.

    Args:
        path: The folder.
        name: Name of the data.
        mean: Of every channel, for pixels between 0 and 1; three numbers make color images, one makes gray ones.
        deviation: Of every channel.
        classes: Number of classes.
        train: How many train images; ``None`` for all.
        test: How many test images; ``None`` for all.
        seed: Seed of the choice.

    Raises:
        BadInputError: If the folder, a split or a column is missing, if a package is, or if images differ in size.
    """
    path = Path(path)
    if not path.is_dir():
        raise BadInputError(f"Data `{name}`: folder `{path}` does not exist. Give the folder that holds train.parquet.")
    mode = "RGB" if len(mean) == 3 else "L"
    parts = [_split(path, part, wanted, name=name, mode=mode, seed=seed) for part, wanted in (("train", train), ("test", test))]
    return normalised(name, *parts[0], *parts[1], mean=mean, deviation=deviation, classes=classes)


def _split(path: Path, part: str, wanted: int | None, *, name: str, mode: str, seed: int) -> tuple[Tensor, Tensor]:
    files = _files(path, part, name)
    pyarrow, parquet = _pyarrow()
    try:
        tables = [parquet.read_table(file) for file in files]
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInputError(f"Data `{name}`: `{files[0]}` is no Parquet file that can be read: {error}.") from error
    table = pyarrow.concat_tables(tables)
    images, labels = (_column(table, known, files[0], name) for known in (IMAGE_COLUMNS, LABEL_COLUMNS))
    if not pyarrow.types.is_struct(images.type) or "bytes" not in {field.name for field in images.type}:
        raise BadInputError(
            f"Data `{name}`: the image column of `{files[0]}` must be a struct with a field `bytes`, but is {images.type}."
        )
    if not pyarrow.types.is_integer(labels.type):
        raise BadInputError(f"Data `{name}`: the label column of `{files[0]}` must be integers, but is {labels.type}.")
    index = chosen(len(labels), wanted, name=name, part=part, seed=seed)
    taken = pyarrow.array(index.numpy())
    encoded = [row["bytes"] for row in images.take(taken).to_pylist()]
    return _decoded(encoded, mode, name, part), torch.tensor(labels.take(taken).to_pylist())


def _files(path: Path, part: str, name: str) -> list[Path]:
    for folder in (path, path / "data"):
        files = (
            [folder / f"{part}.parquet"] if (folder / f"{part}.parquet").is_file() else sorted(folder.glob(f"{part}-*.parquet"))
        )
        if files:
            return files
    raise BadInputError(f"Data `{name}`: folder `{path}` has neither `{part}.parquet` nor `{part}-*.parquet`.")


def _column(table: Any, known: tuple[str, ...], file: Path, name: str) -> Any:
    found = [column for column in known if column in table.column_names]
    if not found:
        raise BadInputError(
            f"Data `{name}`: `{file}` must have the column `{'` or `'.join(known)}`, but has {', '.join(table.column_names)}."
        )
    return table.column(found[0]).combine_chunks()


def _decoded(encoded: list[bytes | None], mode: str, name: str, part: str) -> Tensor:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise BadInputError("Images are decoded by pillow, which is not installed. Install parasym[studies].") from error
    pixels: list[np.ndarray] = []
    for index, data in enumerate(encoded):
        try:
            pixels.append(np.asarray(Image.open(io.BytesIO(data or b"")).convert(mode)))
        except UnidentifiedImageError as error:
            raise BadInputError(f"Data `{name}`: {part} image {index} of those chosen cannot be decoded.") from error
    sizes = {x.shape[:2] for x in pixels}
    if len(sizes) > 1:
        raise BadInputError(f"Data `{name}`: images must be of one size, but have sizes {sorted(sizes)}. Resize them first.")
    stacked = torch.from_numpy(np.stack(pixels)).float() / 255
    return stacked.movedim(-1, 1) if mode == "RGB" else stacked[:, None]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise BadInputError("Parquet files are read by pyarrow, which is not installed. Install parasym[studies].") from error
    return pyarrow, parquet
