"""One architecture, whose trainable parameters lie side by side in one row per network."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from parasym.core import BadInputError, Params, child_seed, is_recipe, model_params, recipe_digest
from parasym.population.linear import weights_first


class Network:
    """What all networks of a population share.

    A population's parameters are tensors of shape ``[networks, numbers]``, one for each parameter of a network: the rules of the
    optimizer run over all networks at once, and each may have its own rate. Everything that is not trained (buffers, frozen
    parameters) is *fixed*: kept once where all networks agree, and per network where they do not.

    Attributes:
        model: A network as the factory made it, for its running statistics and its names.
        template: The same in train mode and without running statistics, on the device of the data.
        stacked: The same once more, for a stack of networks.
        names: Of the trainable parameters, each once however often it is used.
        shapes: Theirs.
        sizes: Theirs.
    """

    def __init__(self, model: nn.Module, device: torch.device) -> None:
        self.model = model
        self.template = without_running_statistics(model).to(device)
        self.stacked = weights_first(copy.deepcopy(self.template))
        trained = {n: p for n, p in self.template.named_parameters() if p.requires_grad}
        kinds = {p.dtype for p in trained.values()}
        if len(kinds) != 1 or not next(iter(kinds)).is_floating_point:
            raise BadInputError(
                f"The trainable parameters must have one floating-point type, but have {sorted(map(str, kinds)) or 'none'}. "
                "Convert the model with `.float()` or `.double()`, and leave some parameter to train."
            )
        self.names = tuple(trained)
        self.shapes = tuple(p.shape for p in trained.values())
        self.sizes = tuple(p.numel() for p in trained.values())

    def pack(self, models: Sequence[nn.Module]) -> list[Tensor]:
        """Return the trainable parameters of models, each of shape ``[networks, numbers]``.

        Args:
            models: Of this architecture.
        """
        params = [dict(model.named_parameters()) for model in models]
        return [torch.stack([each[n].detach().flatten() for each in params]) for n in self.names]

    def unpack(self, rows: Sequence[Tensor]) -> Params:
        """Return views of rows as parameters, each of shape ``[networks, *shape]``, or ``shape`` for single rows.

        Args:
            rows: One per parameter, of shape ``[networks, numbers]`` or ``[numbers]``.
        """
        return {n: x.view(*x.shape[:-1], *shape) for n, x, shape in zip(self.names, rows, self.shapes, strict=True)}

    def fixed(self, model: nn.Module) -> Params:
        """Return the buffers and frozen parameters of a model, without its running statistics.

        Args:
            model: Of this architecture.
        """
        params = {n: p.detach() for n, p in model.named_parameters() if n not in self.names}
        kept = {n for n, _ in self.template.named_buffers()}
        return params | {n: b.detach() for n, b in model.named_buffers() if n in kept}

    def load_(self, model: nn.Module, row: Sequence[Tensor], fixed: Params) -> None:
        """Give a model these numbers.

        Args:
            model: Of this architecture; changed in place.
            row: One per parameter, of shape ``[numbers]``.
            fixed: Buffers and frozen parameters by name.
        """
        own = dict(model.named_parameters()) | dict(model.named_buffers())
        with torch.no_grad():
            for name, value in (self.unpack(row) | fixed).items():
                own[name].copy_(value)

    def layout(self) -> list[list[object]]:
        """Return names, shapes and types of everything in the model, for comparison."""
        return [[n, list(x.shape), str(x.dtype)] for n, x in model_params(self.model).items()]


class Slots:
    """A model whose parameters and buffers are swapped for other tensors while it is called.

    This is ``torch.func.functional_call`` with the places found once: looking for them takes longer than calling a small model.

    Args:
        model: Left as it was by every call.
        names: Of what is swapped; a tensor that hangs in several places is swapped in all of them.
    """

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        self._model = model
        tensors = dict(model.named_parameters()) | dict(model.named_buffers())
        holders: list[dict[str, Any]] = [holder for m in model.modules() for holder in (m._parameters, m._buffers)]
        self._places = [
            (k, holder, key, value)
            for k, name in enumerate(names)
            for holder in holders
            for key, value in holder.items()
            if value is tensors[name]
        ]

    def __call__(self, values: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
        """Return what the model gives with other numbers.

        Args:
            values: In the order of the names.
            inputs: Arguments of the model.
        """
        try:
            for k, holder, key, _ in self._places:
                holder[key] = values[k]
            return self._model(*inputs)
        finally:
            for _, holder, key, before in self._places:
                holder[key] = before


def initial_model(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Return the network that a seed makes; torch's global generator is left as it was.

    Args:
        factory: Builds a network.
        seed: Its seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(seed, "initial weights"))
        return factory()


def check_same(models: Sequence[nn.Module]) -> None:
    """Check that all networks have the same names and shapes.

    Args:
        models: The networks.

    Raises:
        BadInputError: If one differs.
    """
    first = {n: x.shape for n, x in model_params(models[0]).items()}
    for k, model in enumerate(models):
        other = {n: x.shape for n, x in model_params(model).items()}
        if other != first:
            name = next(n for n in first | other if first.get(n) != other.get(n))
            raise BadInputError(
                f"Argument `factory` must always build one architecture, but `{name}` has shape {first.get(name)} in the first "
                f"network and {other.get(name)} in network {k}."
            )
        _check_recipes(models[0], model, k)


def _check_recipes(first: nn.Module, other: nn.Module, k: int) -> None:
    """Raise if two networks were broken with different constants: they would be trained with those of the first."""
    constants = dict(other.named_buffers())
    for name, recipe in first.named_buffers():
        if is_recipe(name) and recipe_digest(recipe) != recipe_digest(constants[name]):
            raise BadInputError(
                f"Argument `factory` must always build one architecture, but network {k} was broken with other constants than "
                "the first: give `break_` one method, with one seed, for all of them."
            )


def without_running_statistics(model: nn.Module) -> nn.Module:
    """Return a copy in train mode whose batch normalization keeps no running statistics.

    Under vmap a running mean would be updated in place inside a gradient, which torch.func refuses.

    Args:
        model: Not modified.
    """
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return model
