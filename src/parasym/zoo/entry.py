"""One architecture whose symmetry was derived by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parasym.core import Params, model_params


@dataclass(frozen=True)
class Entry:
    """A small model, inputs for it, and its symmetry as derived by hand.

    Attributes:
        name: Unique name.
        build: Returns the model; its initial weights are drawn from the global generator.
        inputs: Returns example inputs drawn from a generator.
        expected: The factors, as ``parasym.symmetry.group_name`` writes them, in any order.
        order: Order of the discrete part.
        dimension: Dimension of the continuous part.
        note: The derivation.
        train: Whether the model is meant in training mode.
        overlap: How many dimensions of the group act like others, so that the orbit of a
            generic point has dimension ``dimension - overlap``.
        rest: How many more continuous directions leave the function unchanged at a generic
            point than the group has; the note says which.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[torch.Generator], tuple[Tensor, ...]]
    expected: tuple[str, ...]
    order: int
    dimension: int
    note: str
    train: bool = False
    overlap: int = 0
    rest: int = 0

    def model(self, *, seed: int = 0) -> nn.Module:
        """Return the model in double precision, in the mode it is meant in.

        Args:
            seed: Seed of the initial weights; the global generator is left as it was.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build().double().train(self.train)


def generic_params(model: nn.Module, *, generator: torch.Generator) -> Params:
    """Return a generic point: no bias, gain or running statistic keeps its special initial value.

    A wrong symmetry may pass at the initial point, where biases are 0 and gains are 1.

    Args:
        model: Any module in floating point; it is not modified.
        generator: Source of randomness, on the CPU.

    Returns:
        Parameters and buffers by name. Constant buffers are as in the model.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> params = generic_params(nn.BatchNorm1d(2), generator=torch.Generator().manual_seed(0))
        >>> bool((params["running_var"] > 0).all()), bool((params["running_var"] == 1).any())
        (True, False)
    """
    params = model_params(model)
    trained = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    done: dict[int, Tensor] = {}
    for name, value in params.items():
        leaf = name.rpartition(".")[2]
        if not torch.is_floating_point(value):
            continue
        key = value.data_ptr()
        if key in done and value.numel():
            params[name] = done[key]
        elif leaf == "running_var":
            params[name] = 0.5 + torch.rand(value.shape, generator=generator, dtype=torch.float64).to(value)
        elif name in trained or leaf in ("running_mean", "_u", "_v"):
            noise = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
            scale = 0.3 if value.ndim < 2 else 0.3 * float(value.detach().float().std() if value.numel() > 1 else 1.0)
            params[name] = value + max(scale, 0.05) * noise
        done[key] = params[name]
    return params
