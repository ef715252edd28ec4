"""Points of a segment of parameters."""

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params, check_constants, constant_names, differing, is_recipe
from parasym.core.params import check_computable
from parasym.functional.outputs import leaves, output_error
from parasym.functional.run import run
from parasym.landscape.samples import Batches


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
        wrong = [n for n, x in params.items() if known.get(n) != tuple(x.shape) and not is_recipe(n)]
        if wrong:
            raise BadInputError(
                f"Argument `{label}` has `{wrong[0]}` of shape {tuple(params[wrong[0]].shape)}, but the model has "
                f"{known.get(wrong[0], 'no such tensor')}. Pass parameters of this model."
            )
        bad = [n for n, x in params.items() if x.is_floating_point() and not torch.isfinite(check_computable(n, x)).all()]
        if bad:
            raise BadInputError(f"`{bad[0]}` of argument `{label}` has NaN or infinite values. Use an earlier checkpoint.")
    if a.keys() != b.keys():
        name = sorted(a.keys() ^ b.keys())[0]
        raise BadInputError(f"Arguments `a` and `b` must have the same names, but `{name}` is in only one of them.")


def check_architecture(model: nn.Module, a: Params, b: Params, batches: Batches) -> None:
    """Check that the end of a segment is the second model: on the segment every constant is that of the first one.

    A constant may differ if the outputs of the second model do not depend on it, as on a counter of steps.

    Args:
        model: The model.
        a: Parameters at one end.
        b: Parameters at the other.
        batches: Calls of the model.

    Raises:
        BadInputError: If it is another one; the message names the layer.
    """
    for name in differing(a, b, constant_names(model)):
        if is_recipe(name):
            check_constants([a, b], [name], ["Arguments `a`", "`b`"])
        for call, _ in batches:
            one, two = (leaves(run(model, params, call)) for params in (b, {**b, name: a[name]}))
            if output_error(one, two) != 0.0:
                check_constants([a, b], [name], ["Arguments `a`", "`b`"])
