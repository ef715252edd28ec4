"""Points of a segment of parameters, and models evaluated at many of them at once."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params

CHUNK_BYTES = 256 * 2**20
"""Memory that the parameters of the points evaluated together may take."""


def interpolate(a: Params, b: Params, t: Tensor) -> Params:
    r"""Return :math:`(1-t)\,a + t\,b`; integers and booleans are those of ``a``.

    Args:
        a: Parameters by name.
        b: Parameters of the same names and shapes.
        t: A number, of shape ``[]``.

    Example:
        >>> interpolate({"w": torch.zeros(2)}, {"w": torch.ones(2)}, torch.tensor(0.25))
        {'w': tensor([0.2500, 0.2500])}
    """
    return {n: x + t.to(x) * (b[n] - x) if x.is_floating_point() else x for n, x in a.items()}


def check_segment(model: nn.Module, a: Params, b: Params) -> None:
    """Check that both ends are parameters of the model.

    Args:
        model: The model.
        a: Parameters at one end.
        b: Parameters at the other.

    Raises:
        BadInputError: If names or shapes differ, or an end has NaN or infinite values.
    """
    known = {
        n: tuple(x.shape)
        for n, x in (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    }
    for label, params in (("a", a), ("b", b)):
        wrong = [n for n, x in params.items() if known.get(n) != tuple(x.shape)]
        if wrong:
            raise BadInputError(
                f"Argument `{label}` has `{wrong[0]}` of shape {tuple(params[wrong[0]].shape)}, but the model has "
                f"{known.get(wrong[0], 'no such tensor')}. Pass parameters of this model."
            )
        bad = [n for n, x in params.items() if x.is_floating_point() and not torch.isfinite(x).all()]
        if bad:
            raise BadInputError(f"`{bad[0]}` of argument `{label}` has NaN or infinite values. Use an earlier checkpoint.")
    if a.keys() != b.keys():
        name = sorted(a.keys() ^ b.keys())[0]
        raise BadInputError(f"Arguments `a` and `b` must have the same names, but `{name}` is in only one of them.")


def evaluate(
    model: nn.Module,
    a: Params,
    b: Params,
    t: Tensor,
    batches: list[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Tensor]:
    """Return mean losses and accuracies at points of a segment, each of shape ``[len(t)]``, in float64.

    Args:
        model: The model.
        a: Parameters at 0.
        b: Parameters at 1.
        t: Positions.
        batches: Inputs and targets.
        loss: Mean loss of one batch.
    """
    total, hits, count = torch.zeros(len(t), dtype=torch.float64), torch.zeros(len(t), dtype=torch.float64), 0
    together = True
    t = t.to(batches[0][0].device)
    for x, y in batches:
        out, together = _outputs(model, a, b, t, x, together)
        for k, row in enumerate(out):
            total[k] += float(loss(row, y)) * len(x)
            if y.ndim == 1 and not y.is_floating_point() and row.ndim == 2:
                hits[k] += float((row.argmax(1) == y).sum())
        count += len(x)
    return total / count, hits / count


def _outputs(model: nn.Module, a: Params, b: Params, t: Tensor, x: Tensor, together: bool) -> tuple[list[Tensor], bool]:
    """Return the outputs at every point, and whether they could be computed together."""

    def at(s: Tensor) -> Tensor:
        return torch.func.functional_call(model, {n: v.clone() for n, v in interpolate(a, b, s).items()}, (x,))

    with torch.no_grad():
        if together and len(t) > 1:
            size = sum(v.numel() * v.element_size() for v in a.values())
            try:
                chunk = max(1, CHUNK_BYTES // max(size, 1))
                return list(torch.vmap(at, randomness="same", chunk_size=chunk)(t)), True
            except (RuntimeError, ValueError):
                together = False  # an operation that vmap cannot batch: one point at a time gives the same numbers
        return [at(s) for s in t], together
