"""Which variants a network of the user's can be asked about, and why not the others."""

from collections.abc import Sequence

import torch
from torch import Tensor

from parasym.core import BadInputError
from parasym.find import find
from parasym.functional.factory import line_of
from parasym.studies.paper_network import Data, PaperNetwork, examples
from parasym.studies.variant import variant_named


def check_fits(network: PaperNetwork, data: Data) -> None:
    """Check that a network takes the data and gives a score for every class, and that its symmetry can be found.

    Args:
        network: The network.
        data: What it is for.

    Raises:
        BadInputError: If not.
    """
    x, y, _, test_y = examples(data)
    model = network.on(network.build(data, 1.0), data).eval()
    some = x[:4]
    try:
        with torch.no_grad():
            out = model(some)
    except Exception as error:
        raise BadInputError(
            f"Model `{network.title}` does not run on inputs of `{data.name}` of shape {tuple(some.shape)} {_kind(some)}: "
            f"{type(error).__name__}: {line_of(error)}."
        ) from error
    if not isinstance(out, Tensor) or out.ndim != 2 or len(out) != len(some):
        found = f"of shape {tuple(out.shape)}" if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise BadInputError(f"Model `{network.title}` must return scores of shape [{len(some)}, classes], but returns {found}.")
    most = int(max(y.max(), test_y.max()))
    if most >= out.shape[1]:
        raise BadInputError(f"Model `{network.title}` has {out.shape[1]} outputs, but `{data.name}` has labels up to {most}.")
    find(model, (some,))


def left_out(network: PaperNetwork, data: Data, variants: Sequence[str], width: float) -> dict[str, str]:
    """Return the variants that cannot be made of a network, each with the reason.

    Args:
        network: The network.
        data: What it is for.
        variants: Names.
        width: Multiple of the width.

    Raises:
        BadInputError: If a name is unknown.
    """
    found = {}
    for name in variants:
        variant = variant_named(name)
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                variant.make(network, data, width, 0)
        except BadInputError as error:
            found[name] = line_of(error)
    return found


def _kind(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
