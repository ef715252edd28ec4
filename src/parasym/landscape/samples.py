"""What a loss is taken over: calls of the model and their targets, in batches."""

from typing import Any

from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.functional import Call, batches_of, example_call
from parasym.functional.reading import check_call

Batches = list[tuple[Call, Tensor]]


def samples(model: nn.Module, inputs: Any, targets: Tensor | None, batch_size: int | None, like: Params) -> Batches:
    """Return calls and targets on the device and in the precision of parameters.

    Args:
        model: The model.
        inputs: All inputs, as :func:`parasym.functional.example_call` reads them; or, without ``targets``, batches with labels,
            as :func:`parasym.functional.batch_call` reads them.
        targets: All targets, with samples along the first axis.
        batch_size: Samples per batch; ``None`` for one call on everything.
        like: Parameters.

    Raises:
        BadInputError: If inputs and targets do not fit each other or the batch size.
    """
    if batch_size is not None and batch_size < 1:
        raise BadInputError(f"Argument `batch_size` must be at least 1, or None for one call, but is {batch_size}.")
    device = next((x.device for x in like.values()), None)
    if targets is None:
        return [(call.like(like), _label(call).to(device)) for call in batches_of(inputs, model, name="inputs")]
    if not isinstance(targets, Tensor):
        raise BadInputError(f"Argument `targets` must be a tensor, but is a {type(targets).__name__}.")
    call = example_call(inputs, model=model)
    check_call(call, model)
    if targets.ndim == 0 or len(targets) == 0 or (batch_size is not None and call.samples not in (None, len(targets))):
        raise BadInputError(
            f"Arguments `inputs` and `targets` must hold equally many samples, at least one, but hold {call} and "
            f"{Call((targets,))}."
        )
    targets = targets.to(device)
    parts = (targets,) if batch_size is None else targets.split(batch_size)
    return list(zip(call.like(like).split(batch_size), parts, strict=True))


def _label(call: Call) -> Tensor:
    labels = [x for x in call.labels if isinstance(x, Tensor)]
    if len(labels) != 1:
        raise BadInputError(
            f"Argument `inputs` must be batches of inputs and one tensor of labels where `targets` is left out, but a batch "
            f"has the inputs {call} and {len(labels)} tensors of labels. Pass `targets`."
        )
    return labels[0]
