"""Data as people have them: tensors, arrays, a `Dataset` or a `DataLoader`, read once into tensors."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, RandomSampler, SequentialSampler, default_collate

from parasym.core import BadInputError
from parasym.population.data import Data, FullBatch

MEANS = "tensors or arrays `x, y`, a FullBatch and its labels, a Dataset, or a DataLoader of pairs (inputs, label)"


def as_data(
    x: Any, y: Any = None, *, what: str = "x", batch: int | None = None, device: torch.device | str | None = None
) -> Data:
    """Return data for training.

    A `Dataset` is read once, in its order, so a random transformation is drawn once and stays: give it as ``augment`` instead.
    Of a `DataLoader` the dataset and the way to collate are used; every network draws its own order of the examples.
    Floating-point *arrays* are turned to torch's default type, tensors stay as they are; integer labels become ``int64``.

    Args:
        x: Inputs; see `MEANS`.
        y: Labels; ``None`` where ``x`` has them.
        what: Name of the argument, for messages.
        batch: Examples per step of the plan, which a loader has to agree with; ``None`` where it does not matter.
        device: Where to put everything; ``None`` leaves it where it is.

    Raises:
        BadInputError: If it is none of these, has no labels, or asks for an order of its own.

    Example:
        >>> from torch.utils.data import TensorDataset
        >>> data = as_data(TensorDataset(torch.eye(3), torch.tensor([0, 1, 1])))
        >>> data.x.shape, data.y
        (torch.Size([3, 3]), tensor([0, 1, 1]))
        >>> as_data([[0.0, 1.0]])
        Traceback (most recent call last):
        parasym.core.error.BadInputError: Argument `x` must be tensors or arrays ..., but is list without labels.
    """
    if isinstance(x, (DataLoader, Dataset)):
        if y is not None:
            raise BadInputError(f"Argument `{what}` is a {type(x).__name__}, which has labels of its own: leave `y` out.")
        x, y = _read_loader(x, what, batch) if isinstance(x, DataLoader) else _read(x, default_collate, what)
    if y is None:
        raise BadInputError(f"Argument `{what}` must be {MEANS}, but is {type(x).__name__} without labels.")
    if isinstance(x, FullBatch):
        inputs: Any = FullBatch(tuple(_tensor(t, what) for t in x.inputs), None if x.rows is None else _tensor(x.rows, what))
    else:
        inputs = tuple(_tensor(t, what) for t in x) if isinstance(x, tuple) else _tensor(x, what)
    labels = _tensor(y, "y")
    if not labels.is_floating_point() and not labels.is_complex():
        labels = labels.long()
    data = Data(inputs, labels)
    return data if device is None else data.to(device)


def _read_loader(loader: DataLoader, what: str, batch: int | None) -> tuple[Any, Tensor]:
    """Return all examples of a loader, after checking that nothing it asks for is lost."""
    sampler = None if isinstance(loader.dataset, IterableDataset) else loader.sampler
    if sampler is not None and type(sampler) not in {RandomSampler, SequentialSampler}:
        raise BadInputError(
            f"Argument `{what}` is a DataLoader with a {type(sampler).__name__}, but every network draws its own order of "
            "all examples. Give the dataset, or the chosen examples as tensors."
        )
    if batch is not None and loader.batch_size is not None and loader.batch_size != batch:
        raise BadInputError(
            f"Argument `{what}` is a DataLoader with batches of {loader.batch_size}, but the plan says {batch}: "
            f"set TrainingPlan(batch={loader.batch_size})."
        )
    if loader.drop_last and batch is not None:
        raise BadInputError(
            f"Argument `{what}` is a DataLoader with drop_last, but every epoch here takes all examples: leave it out."
        )
    collate = loader.collate_fn if loader.batch_size is not None else default_collate
    return _read(loader.dataset, collate, what)


def _read(dataset: Dataset, collate: Any, what: str) -> tuple[Any, Tensor]:
    items: Iterable[Any]
    if isinstance(dataset, IterableDataset):
        items = list(dataset)
    else:
        try:
            items = [dataset[k] for k in range(len(dataset))]  # pyright: ignore[reportArgumentType]
        except TypeError as error:
            raise BadInputError(f"Argument `{what}` is a {type(dataset).__name__} without a length: {error}.") from error
    items = list(items)
    if not items:
        raise BadInputError(f"Argument `{what}` is a {type(dataset).__name__} without examples.")
    try:
        whole = collate(items)
    except (RuntimeError, TypeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise BadInputError(f"The examples of `{what}` cannot be put into one tensor: {said}.") from error
    if isinstance(whole, Mapping) or not isinstance(whole, (tuple, list)) or len(whole) < 2:
        raise BadInputError(
            f"An example of `{what}` must be (inputs, label) or (input, ..., label), but is {type(items[0]).__name__}"
            + (f" with {', '.join(map(str, whole))}" if isinstance(whole, Mapping) else "")
            + ". Give a Dataset that returns such pairs."
        )
    *inputs, labels = whole
    if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)):
        inputs = list(inputs[0])
    return (inputs[0] if len(inputs) == 1 else tuple(inputs)), labels


def _tensor(value: Any, what: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc":
            raise BadInputError(f"Argument `{what}` must hold numbers, but is an array of {value.dtype}.")
        found = torch.from_numpy(np.ascontiguousarray(value))
        return found.to(torch.get_default_dtype()) if found.is_floating_point() else found
    if hasattr(value, "to_numpy"):  # a table or column of pandas
        return _tensor(value.to_numpy(), what)
    raise BadInputError(f"Argument `{what}` must be {MEANS}, but is {type(value).__name__}.")
