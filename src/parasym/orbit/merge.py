"""``merge``: several models matched and averaged."""

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

from parasym.core import BadInputError, Params
from parasym.core.arguments import Model, as_module
from parasym.functional import batch_call, batches_of, has_statistics, reestimate
from parasym.functional.outputs import leaves, output_error
from parasym.functional.reading import Batch, Data
from parasym.functional.run import run
from parasym.orbit.capable import ensure_matchable
from parasym.orbit.conditioning import ill_notes, vanished_gains
from parasym.orbit.inputs import counting, given_models, working
from parasym.orbit.many import mean, together
from parasym.orbit.method import AbstractMethod
from parasym.orbit.objective import gap
from parasym.orbit.result import Merge, Pair
from parasym.orbit.weight import WeightMatching
from parasym.symmetry import Element, Move, Symmetry

STORED_BOUND = 1e-2
"""A factor that changes outputs by more than this part, under renewed statistics, holds for stored ones only. What the
``eps`` of a normalization adds is far below, what a wrong scale does far above."""


def merge(
    symmetry: Symmetry,
    models: Sequence[Model],
    *,
    method: AbstractMethod = WeightMatching(),
    model: nn.Module | None = None,
    data: Data | None = None,
    generator: torch.Generator | None = None,
) -> Merge:
    r"""Return the average of models brought to a common place: :math:`\frac1K \sum_k g_k \theta_k`.

    With ``model`` and ``data`` the running statistics of normalization layers are estimated anew. Factors that keep the function
    only for *stored* statistics (such as a scale shared by a gain and a running variance) are left out then,
    since the new statistics would undo them: each is tried on the first batch.

    Args:
        symmetry: The symmetry of their architecture.
        models: Parameters and buffers by name, or modules; at least one.
        method: How to align them.
        model: The model, to estimate statistics with.
        data: Batches for it, as :func:`parasym.functional.batch_call` reads them.
        generator: Source of randomness, on the CPU; only methods with restarts use it.

    Returns:
        The average, of the dtypes and on the device of the first model (integer buffers are those of the first; half precision is
        averaged in single precision), the elements, and how far the models are apart before and after.

    Raises:
        SymmetryError: If a group cannot do what this takes (see :class:`parasym.groups.AbstractGroup`).
        BadInputError: If the models do not fit, if only one of ``model`` and ``data`` is given, or if ``data`` is empty.

    Example:
        >>> from torch import nn
        >>> from parasym.core import model_params
        >>> from parasym.find import find
        >>> generator = torch.manual_seed(0)
        >>> net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double()
        >>> symmetry, a = find(net, (torch.zeros(1, 4).double(),)), model_params(net)
        >>> b = symmetry.act(symmetry.sample(generator=generator), a)  # the same function elsewhere
        >>> x = torch.randn(2, 4, generator=generator).double()
        >>> outputs = [torch.func.functional_call(net, p, (x,))[0, 0] for p in (a, b, merge(symmetry, [a, b]).params)]
        >>> print(" ".join(f"{y:.4f}" for y in outputs))
        0.0560 0.0560 0.0560

    References:
        Ainsworth, Hayase, Srinivasa. Git Re-Basin. ICLR 2023, https://arxiv.org/abs/2209.04836
        Jordan et al. REPAIR. ICLR 2023, https://arxiv.org/abs/2211.08403
    """
    if (model is None) != (data is None):
        given, lacking = ("model", "data") if data is None else ("data", "model")
        raise BadInputError(
            f"Argument `{given}` was given without `{lacking}`: statistics are estimated from both, or from neither."
        )
    models = given_models(symmetry, models, "models", "merge(symmetry, [a, b, ...])")
    model = None if model is None else as_module(model, "model", "merge(symmetry, [a, b, ...], model=model, data=data)")
    ensure_matchable(symmetry, "merge")
    batches = None if data is None or model is None else list(batches_of(data, model))
    kept = symmetry
    if model is not None and batches and has_statistics(model):
        kept = without_stored(symmetry, model, models[0], batches[0])
    full = [working(x, list(x)) for x in models]
    elements, unsettled, unseen = together(kept, full, method, generator)
    elements = tuple(Element(symmetry, g.moves) for g in elements)
    unsettled += ill_notes(symmetry, {f"model {k}": x for k, x in enumerate(models)})
    unsettled += vanished_gains(symmetry, models[0])
    moved = [g.exactly(x) for g, x in zip(elements, full, strict=True)]
    average = mean(moved)
    here, there = ([counting(symmetry, x) for x in some] for some in (full, moved))
    if model is not None and batches is not None:
        average = reestimate(model, average, batches)
    return Merge(
        params={n: v.to(models[0][n].dtype) for n, v in average.items()},
        elements=elements,
        pairs=tuple(Pair(i, j, gap(here[i], here[j]), gap(there[i], there[j])) for i, j in combinations(range(len(models)), 2)),
        converged=not unsettled,
        notes=(*unsettled, *unseen, *_notes(symmetry, kept, models[0], renewed=batches is not None)),
    )


def _notes(symmetry: Symmetry, kept: Symmetry, params: Params, *, renewed: bool) -> list[str]:
    left_out = [f for f in symmetry.factors if f.id not in kept.by_id]
    notes = [f"left out, as it holds for stored statistics only: {f.label} on `{f.wire.name}`" for f in left_out]
    if not renewed and any(name.endswith("running_var") for name in params):
        notes.append("running statistics are averaged, which suits no merged network: pass `data` (--data) to measure them anew")
    return notes


def without_stored(symmetry: Symmetry, model: nn.Module, params: Params, batch: Batch) -> Symmetry:
    """Return the symmetry without the factors that do not keep the function under the statistics of a batch."""
    params = working(params, list(params))
    call = batch_call(batch, model).like(params)

    def outputs(p: Params) -> list[Tensor]:
        modes = {module: module.training for module in model.modules()}
        fresh = reestimate(model, p, [call])
        try:
            return leaves(run(model.eval(), fresh, call))
        finally:
            for module, mode in modes.items():
                module.training = mode

    reference = outputs(params)
    like = next(x for x in params.values() if x.is_floating_point())
    kept = []
    for k, factor in enumerate(symmetry.factors):
        generator = torch.Generator().manual_seed(k)
        g = factor.group.sample(factor.batch, generator=generator, dtype=like.dtype, device=like.device)
        moved = Element(symmetry, (Move(factor.id, g),))(params)
        if output_error(reference, outputs(moved)) <= STORED_BOUND:
            kept.append(factor.id)
    return symmetry.only(*kept)
