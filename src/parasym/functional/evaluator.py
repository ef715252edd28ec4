"""A model as a pure function of parameters and inputs, in the precision of the proof."""

import contextlib
import copy
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from parasym.core import BadInputError, Params, first_names, model_params
from parasym.core.params import check_shaped
from parasym.functional.call import Call, cast
from parasym.functional.outputs import leaves
from parasym.functional.precision import precision
from parasym.functional.randomness import FollowingDraws
from parasym.functional.snapshot import forgotten
from parasym.functional.tensors import map_tensors, tensors_in

_OF_TORCH = frozenset(vars(nn.Module()))
"""The attributes that every module has."""


@dataclass(frozen=True)
class Evaluator:
    """A copy of a model in one precision, to be called with any parameters.

    The user's model is never touched: BatchNorm in train mode writes its statistics into clones, and
    dropout draws the same mask in every call, or one that follows the channels. Nor does a call know of the one before: what
    the model's code has made of other parameters and kept is forgotten.

    Attributes:
        model: The copy.
        dtype: Its precision.
        seed: Seed of whatever the model draws at random.
        ties: For every name the first name of the same tensor.
        trainable: First names of the parameters that require a gradient (all, if none does).
        buffers: First names of the floating-point buffers.
        statistics: Those of them that are running statistics of PyTorch's normalizations.
        exact: Whether everything is computed in that precision; otherwise in the types that the model has and casts to.
        follows: Whether random numbers follow what they act on (see :mod:`parasym.functional.randomness`).
    """

    model: nn.Module
    dtype: torch.dtype
    seed: int
    ties: dict[str, str]
    trainable: tuple[str, ...]
    buffers: tuple[str, ...]
    statistics: tuple[str, ...]
    exact: bool = True
    follows: bool = False

    def __call__(self, params: Params, inputs: Call) -> list[Tensor]:
        """Return the outputs as a list of tensors.

        Args:
            params: Parameters and buffers by name; those left out keep the values of the model.
            inputs: The arguments.
        """
        return self._run(params, inputs, FollowingDraws() if self.follows else contextlib.nullcontext())[0]

    def randomness(self, params: Params, inputs: Call) -> tuple[tuple[str, ...], bool]:
        """Return the operations that draw numbers which can be made to follow what they act on, and whether others draw any.

        Args:
            params: Parameters and buffers by name.
            inputs: The arguments.
        """
        following = FollowingDraws()
        drawn = self._run(params, inputs, following)[1]
        return tuple(sorted(following.seen)), drawn

    def _run(self, params: Params, inputs: Call, mode: contextlib.AbstractContextManager[Any]) -> tuple[list[Tensor], bool]:
        """Return the outputs, and whether random numbers were drawn from torch's generators."""
        given = {self.ties[name]: value for name, value in reversed(params.items()) if name in self.ties}
        buffers = {k: v.clone() for k, v in self.model.named_buffers()}
        buffers |= {k: given[k].clone() for k in buffers if k in given}
        devices = sorted({p.get_device() for p in given.values() if p.is_cuda})
        fresh = inputs.map(lambda x: x)  # containers that a model may write to
        generators = [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices)]
        with torch.random.fork_rng(devices=devices), precision(self.dtype) if self.exact else contextlib.nullcontext(), mode:
            before = [generator.manual_seed(self.seed).get_state() for generator in generators]
            with forgotten(self.model):
                found = leaves(functional_call(self.model, given | buffers, fresh.args, dict(fresh.kwargs)))
            after = [generator.get_state() for generator in generators]
        return found, not all(map(torch.equal, before, after))

    def tied(self, params: Params) -> Params:
        """Return ``params`` with every tied name set to the value of the first.

        Args:
            params: Parameters and buffers by name.
        """
        return {name: params.get(self.ties.get(name, name), value) for name, value in params.items()}

    def untied(self, params: Params) -> str:
        """Return a complaint if tied names have different values, else an empty string.

        Args:
            params: Parameters and buffers by name.
        """
        for name, first in self.ties.items():
            if name != first and name in params and first in params and not torch.equal(params[name], params[first]):
                return f"tied parameters `{name}` and `{first}` are moved apart"
        return ""


def evaluator(model: nn.Module | ExportedProgram, dtype: torch.dtype | None, seed: int) -> tuple[Evaluator, Params]:
    """Return ``model`` as a function of its parameters, and the parameters, both in ``dtype``.

    Args:
        model: A module or an exported program. Not modified.
        dtype: Floating-point precision; ``None`` for the model as it is written, in the types that it has and casts to.
        seed: Seed of whatever the model draws at random.

    Raises:
        BadInputError: If the module cannot be copied.
    """
    module = model.module() if isinstance(model, ExportedProgram) else model
    check_shaped(module, {**dict(module.named_parameters()), **dict(module.named_buffers())})
    trainable = {name for name, p in module.named_parameters() if p.requires_grad}
    clone = _copied(module)
    clone._apply(lambda t: cast(t, dtype))
    for part in clone.modules():
        # Plain attributes are constants that `_apply` does not reach.
        vars(part).update({name: map_tensors(lambda x: cast(x, dtype), held) for name, held in _constants(part)})
    params = {k: v.detach().clone() for k, v in model_params(clone).items()}
    names = tuple(k for k, p in clone.named_parameters() if not trainable or k in trainable)
    buffers = tuple(k for k, v in clone.named_buffers() if v.is_floating_point())
    # There is no public base class of BatchNorm and InstanceNorm.
    norms = tuple(f"{k}." if k else "" for k, part in clone.named_modules() if isinstance(part, _NormBase))
    statistics = tuple(k for k in buffers if k.startswith(norms) and k.rpartition(".")[2].startswith("running_"))
    exact = dtype is not None
    kind = dtype or next((x.dtype for x in params.values() if x.is_floating_point()), torch.get_default_dtype())
    return Evaluator(clone, kind, seed, first_names(clone), names, buffers, statistics, exact), params


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy of a module; what it has made of its parameters and kept is copied as numbers."""
    kept = [x for part in module.modules() for _, held in _constants(part) for x in tensors_in(held) if not x.is_leaf]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`isinstance", FutureWarning)  # copying the trees of an exported program
            return copy.deepcopy(module, {id(x): x.detach().clone() for x in kept})
    except Exception as error:
        raise BadInputError(
            f"The model cannot be copied: {error} Keep what cannot be copied by `copy.deepcopy` out of its attributes."
        ) from error


def _constants(part: nn.Module) -> list[tuple[str, Any]]:
    """Return the attributes of a module that hold tensors, in containers too, but for parameters and buffers."""
    return [(name, held) for name, held in vars(part).items() if name not in _OF_TORCH and tensors_in(held)]
