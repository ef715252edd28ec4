"""What a symmetry does to a model as it is written: in 16 bits the outputs change by what rounding leaves."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from parasym.core import Params
from parasym.functional.call import Call, cast
from parasym.functional.evaluator import evaluator
from parasym.functional.outputs import output_error
from parasym.symmetry import Symmetry

_HALF = (torch.float16, torch.bfloat16, torch.complex32)


class _Watch(TorchDispatchMode):
    """Notes in which types of 16 bits anything is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        found = {x.dtype for x in pytree.tree_leaves(out) if isinstance(x, Tensor) and x.dtype in _HALF}
        self.seen |= {str(dtype).removeprefix("torch.") for dtype in found}
        return out


def change_as_written(
    model: nn.Module | ExportedProgram, symmetry: Symmetry, params: Params, inputs: Call, generator: torch.Generator
) -> tuple[tuple[str, ...], float] | None:
    """Return in which types of 16 bits a model computes, and by how much its outputs change there; ``None`` if in none.

    Moved parameters are rounded to the types that the model has.

    Args:
        model: A module or an exported program. Not modified.
        symmetry: What moves.
        params: Parameters and buffers in the precision of the proof.
        inputs: The arguments, as the model takes them.
        generator: Source of the element.

    Raises:
        RuntimeError: If the model does not run in its own types.
    """
    run, own = evaluator(model, None, seed=0)

    def outputs(moved: Params) -> list[Tensor]:
        with torch.no_grad():
            found = run({name: cast(x, own[name].dtype) if x.is_floating_point() else x for name, x in moved.items()}, inputs)
        return [cast(x, torch.float64) for x in found]

    with _Watch() as watch:
        outputs(params)
    if not watch.seen:
        return None
    run = replace(run, follows=bool(run.randomness(own, inputs)[0]))
    element = symmetry.sample(generator=generator)
    return tuple(sorted(watch.seen)), output_error(outputs(params), outputs(symmetry.act(element, params)))
