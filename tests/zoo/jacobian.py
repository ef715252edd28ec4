"""The slow, obvious count of continuous symmetries: P minus the rank of the Jacobian at a generic point."""

from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional

from parasym.core import Params


def outputs(model: nn.Module, params: Params, args: tuple[Tensor, ...]) -> Tensor:
    """Return all outputs of the model as one vector; the parameters, and the model, are left as they were."""
    names = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    values = {n: v.clone() for n, v in params.items() if n in names}
    out = torch.func.functional_call(model, values, args)
    return torch.cat([part.flatten() for part in (out if isinstance(out, tuple | list) else (out,))])


def moving(model: nn.Module, *, train: bool) -> list[str]:
    """Return the names of what counts as a parameter: trained ones, and statistics that eval mode reads."""
    names = [name for name, _ in model.named_parameters()]
    read = () if train else ("running_mean", "running_var", "_u", "_v")
    return names + [name for name, _ in model.named_buffers() if name.rpartition(".")[2] in read]


def _batch_norm(
    x: Tensor, mean: Tensor, var: Tensor, weight: Tensor, bias: Tensor, training: bool, momentum: float, eps: float
) -> Tensor:
    # PyTorch's own cannot be differentiated with respect to the running statistics.
    dims = [k for k in range(x.ndim) if k != 1]
    if training:
        mean, var = x.mean(dims), x.var(dims, correction=0)
    shape = [1, -1, *[1] * (x.ndim - 2)]
    unit = (x - mean.reshape(shape)) / (var + eps).sqrt().reshape(shape)
    return unit * weight.reshape(shape) + bias.reshape(shape)


def jacobian(model: nn.Module, names: list[str], params: Params, draws: list[tuple[Tensor, ...]]) -> Tensor:
    """Return the Jacobian of the outputs on all draws with respect to the named tensors, ``[outputs, P]``."""
    start = tuple(params[name] for name in names)
    rows = []
    with patch.object(functional, "batch_norm", _batch_norm):
        for args in draws:

            def call(*parts: Tensor, args: tuple[Tensor, ...] = args) -> Tensor:
                return outputs(model, {**params, **dict(zip(names, parts, strict=True))}, args)

            blocks = torch.autograd.functional.jacobian(call, start, vectorize=True)
            rows.append(torch.cat([block.flatten(1) for block in blocks], dim=1))
    return torch.cat(rows)


def nullity(matrix: Tensor) -> tuple[int, float, float]:
    """Return the nullity, the smallest singular value that counts and the largest that does not, relative to the top."""
    values = torch.linalg.svdvals(matrix)
    values = values / values[0]
    rank = int((values > 1e-12).sum())
    below = float(values[rank]) if rank < len(values) else 0.0
    return matrix.shape[1] - rank, float(values[rank - 1]), below
