"""Train many networks of one architecture at once, with vmap over the networks."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from parasym.core import BadInputError, Params, child_generator, child_seed, model_params
from parasym.orbit import reestimate

Advance = Callable[[int], None]


@dataclass(frozen=True)
class TrainingPlan:
    """How every network is trained: Adam with decoupled weight decay and a cosine schedule.

    Attributes:
        epochs: Passes over the data.
        batch: Examples per step.
        rate: Peak learning rate.
        decay: Weight decay.
    """

    epochs: int = 30
    batch: int = 128
    rate: float = 2e-3
    decay: float = 1e-2


def train_population(
    factory: Callable[[], nn.Module],
    x: Tensor,
    y: Tensor,
    *,
    seeds: tuple[int, ...],
    plan: TrainingPlan = TrainingPlan(),
    advance: Advance | None = None,
) -> list[Params]:
    """Return the trained parameters and buffers of one network per seed.

    A seed decides the initial weights and the order of the examples. All networks take their steps
    together: one ``vmap`` over their stacked parameters. Batch normalization uses the statistics of the
    batch while training; its running statistics are the average over the training set afterwards.

    Args:
        factory: Builds a network; initial weights come from torch's global generator, which is seeded and restored.
        x: Training inputs, of shape ``[n, ...]``.
        y: Labels, of shape ``[n]``.
        seeds: One per network.
        plan: Optimizer and schedule.
        advance: Called with the number of finished epochs since its last call.

    Raises:
        BadInputError: If ``seeds`` is empty or has repetitions.

    Example:
        >>> x, y = torch.tensor([[1.0], [-1.0]]), torch.tensor([0, 1])
        >>> plan = TrainingPlan(epochs=200, batch=2, rate=0.1, decay=0.0)
        >>> a, b = train_population(lambda: nn.Linear(1, 2), x, y, seeds=(0, 1), plan=plan)
        >>> (x @ a["weight"].T + a["bias"]).argmax(dim=1), (x @ b["weight"].T + b["bias"]).argmax(dim=1)
        (tensor([0, 1]), tensor([0, 1]))
        >>> bool((a["weight"] == b["weight"]).any())
        False
    """
    if not seeds or len(set(seeds)) != len(seeds):
        raise BadInputError(f"Argument `seeds` must be different numbers, at least one, but is {seeds}.")
    models = [_initial(factory, seed) for seed in seeds]
    template = _without_running_statistics(models[0])
    stacked, buffers = stack_module_state([_without_running_statistics(model) for model in models])
    stacked = {name: value.detach().requires_grad_() for name, value in stacked.items()}

    def loss(params: Params, own: Params, inputs: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(functional_call(template, {**params, **own}, (inputs,)), labels)

    gradient = vmap(grad(loss), in_dims=(0, 0, 0, 0), randomness="different")
    optimizer = torch.optim.AdamW(stacked.values(), lr=plan.rate, weight_decay=plan.decay)
    generators = [child_generator(seed, "order") for seed in seeds]
    steps = plan.epochs * math.ceil(len(x) / plan.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5 * (1 + math.cos(math.pi * k / steps)))
    for _ in range(plan.epochs):
        order = torch.stack([torch.randperm(len(x), generator=g) for g in generators]).to(x.device)
        for index in order.split(plan.batch, dim=1):
            found = gradient({k: v.detach() for k, v in stacked.items()}, buffers, x[index], y[index])
            for name, value in stacked.items():
                value.grad = found[name]
            optimizer.step()
            schedule.step()
        if advance is not None:
            advance(1)
    return [
        _finished(model, {name: value[k].detach() for name, value in stacked.items()}, x, plan.batch)
        for k, model in enumerate(models)
    ]


def _initial(factory: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(seed, "initial weights"))
        return factory()


def _without_running_statistics(model: nn.Module) -> nn.Module:
    # Under vmap a running mean would be updated in place inside a gradient, which torch.func refuses.
    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return model


def _finished(model: nn.Module, params: Params, x: Tensor, batch: int) -> Params:
    state = model_params(model) | params
    return reestimate(model, {name: value.clone() for name, value in state.items()}, x.split(batch * 4))
