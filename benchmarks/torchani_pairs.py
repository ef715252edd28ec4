"""torchani's eight independently trained ANI-1x networks: how well does the average of two, or of all, predict energies?

Each member is four networks, one per element, ``Linear - CELU(0.1)``, so the group is permutations only. Conformers are
molecules of ase's G2 set, each atom displaced at random. The error is that of the total energy against the mean of the
eight members; no shift is taken out.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.measure import Row, cpu_seconds
from benchmarks.plain import descend_plainly
from parasym.core import Params, model_params
from parasym.find import find
from parasym.orbit import ActivationMatching, match, match_many
from parasym.orbit.many import mean
from parasym.symmetry import Element, Move, Symmetry

HARTREE = 1000.0  # mHa
NAIVE, PLAIN_WEIGHTS, PLAIN_ACTIVATIONS = "naive", "plain weight matching", "plain activation matching"
WEIGHTS, ACTIVATIONS, TOGETHER = "parasym, weights", "parasym, activations", "parasym, all eight to one place"


@dataclass(frozen=True)
class Task:
    """What to measure.

    Attributes:
        pairs: Members whose midpoints are taken.
        members: How many are loaded; the mean of all eight is what they are compared with.
        rattles: Conformers per molecule.
        sigma: Standard deviation of each coordinate's displacement, in angstrom.
        molecules: How many molecules; all of two or more atoms of H, C, N, O if ``None``.
    """

    pairs: tuple[tuple[int, int], ...] = tuple(combinations(range(8), 2))
    members: int = 8
    rattles: int = 6
    sigma: float = 0.075
    molecules: int | None = None


TINY = Task(pairs=((0, 1),), members=2, rattles=1, molecules=4)


class Atoms(nn.Module):
    """The four networks of a member as one model: features by element to energies by element."""

    def __init__(self, networks: dict[str, nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleDict(networks)

    def forward(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(net(x) for net, x in zip(self.networks.values(), features, strict=True))


@dataclass(frozen=True)
class Conformers:
    """Features of the atoms of many conformers, by element, and which conformer each atom belongs to."""

    features: tuple[Tensor, ...]
    owner: tuple[Tensor, ...]
    count: int


def run(task: Task) -> list[Row]:
    """Return errors of members and of averages, and the time that matching takes."""
    members, computer, species = load(task.members)
    model = members[0]
    test, seen = (conformers(task, computer, species, seed) for seed in (0, 1))
    states = [{n: x.detach() for n, x in model_params(m).items()} for m in members]
    reference = torch.stack([energies(model, s, test) for s in states]).mean(0)
    symmetry = find(model, ([x[:2] for x in seen.features],))

    def error(params: Params) -> float:
        return HARTREE * float((energies(model, params, test) - reference).square().mean().sqrt())

    case = f"{len(task.pairs)} pairs, {test.count} conformers"
    rows = [Row("members", "each as it is", "RMSE, mHa", tuple(error(s) for s in states))]
    together = match_many(symmetry, states)
    placed = [symmetry.act(g, s) for g, s in zip(together, states, strict=True)]
    ways = methods(model, symmetry, seen)
    for name, way in ways.items():
        taken, errors = [], []
        for i, j in task.pairs:
            a, b = states[i], states[j]
            taken.append(cpu_seconds(lambda: way(a, b)))  # noqa: B023
            errors.append(error(mean([a, symmetry.act(way(a, b), b)])))
        rows += [Row(case, name, "RMSE of the midpoint, mHa", tuple(errors)), Row(case, name, "CPU seconds", tuple(taken))]
    rows.append(
        Row(case, TOGETHER, "RMSE of the midpoint, mHa", tuple(error(mean([placed[i], placed[j]])) for i, j in task.pairs))
    )
    rows.append(Row(f"all {len(states)}", NAIVE, "RMSE of the mean, mHa", (error(mean(states)),)))
    rows.append(Row(f"all {len(states)}", WEIGHTS, "RMSE of the mean, mHa", (error(mean(placed)),)))
    by_data = match_many(symmetry, states, method=activation_matching(model, seen))
    merged = mean([symmetry.act(g, s) for g, s in zip(by_data, states, strict=True)])
    rows.append(Row(f"all {len(states)}", ACTIVATIONS, "RMSE of the mean, mHa", (error(merged),)))
    return rows


def methods(model: nn.Module, symmetry: Symmetry, seen: Conformers) -> dict[str, Callable[[Params, Params], Element]]:
    """Return the ways to match, by name."""
    return {
        NAIVE: lambda _a, _b: Element(symmetry),
        PLAIN_WEIGHTS: lambda a, b: descend_plainly(symmetry, a, b, generator=torch.Generator().manual_seed(0)),
        PLAIN_ACTIVATIONS: lambda a, b: correlate_plainly(model, symmetry, a, b, seen),
        WEIGHTS: lambda a, b: match(symmetry, a, b).element,
        ACTIVATIONS: lambda a, b: match(symmetry, a, b, method=activation_matching(model, seen)).element,
    }


def activation_matching(model: nn.Module, seen: Conformers) -> ActivationMatching:
    """Return activation matching on the conformers that are not tested on."""
    return ActivationMatching(model, [(list(seen.features),)])  # pyright: ignore[reportArgumentType]


def correlate_plainly(model: nn.Module, symmetry: Symmetry, a: Params, b: Params, seen: Conformers) -> Element:
    """Return one assignment per wire on the correlations of what its layer computes, without regard to other wires."""
    outputs = [_outputs_of_layers(model, params, seen) for params in (a, b)]
    moves = []
    for factor in symmetry.factors:
        layer = factor.wire.name.removesuffix(".weight[0]")
        x, y = (side[layer] - side[layer].mean(0) for side in outputs)
        profit = (x / x.norm(dim=0)).T @ (y / y.norm(dim=0))
        moves.append(Move(factor.id, torch.from_numpy(linear_sum_assignment(profit.numpy(), maximize=True)[1])))
    return Element(symmetry, tuple(moves))


def _outputs_of_layers(model: nn.Module, params: Params, seen: Conformers) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    layers = {name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear)}

    def keep(name: str) -> Any:
        return lambda _module, _inputs, output: found.__setitem__(name, output)

    handles = [layer.register_forward_hook(keep(name)) for name, layer in layers.items()]
    with torch.no_grad():
        functional_call(model, params, (list(seen.features),))
    for handle in handles:
        handle.remove()
    return found


def load(count: int) -> tuple[list[Atoms], nn.Module, tuple[str, ...]]:
    """Return members, the computer of features, and the order of the elements; all from files inside the package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torchani

        resources = f"{next(iter(torchani.__path__))}/resources/ani-1x_8x"
        constants = torchani.neurochem.Constants(f"{resources}/rHCNO-5.2R_16-3.5A_a4-8.params")
        computer = torchani.AEVComputer(**constants)
        ensemble = torchani.neurochem.load_model_ensemble(constants.species, f"{resources}/train", 8)
    members = [Atoms(dict(ensemble[k].items())).eval() for k in range(count)]
    return members, computer, tuple(constants.species)


def conformers(task: Task, computer: nn.Module, species: tuple[str, ...], seed: int) -> Conformers:
    """Return features of displaced molecules.

    Args:
        task: How many, and how far displaced.
        computer: Of the features.
        species: The order of the elements.
        seed: Of the displacements.
    """
    from ase.collections import g2

    generator = torch.Generator().manual_seed(seed)
    features: list[list[Tensor]] = [[] for _ in species]
    owner: list[list[Tensor]] = [[] for _ in species]
    chosen = [m for m in map(g2.__getitem__, g2.names) if set(m.symbols) <= set(species) and len(m) > 1][: task.molecules]
    for k, molecule in enumerate(chosen):
        kinds = torch.tensor([species.index(s) for s in molecule.symbols])
        at_rest = torch.tensor(molecule.positions, dtype=torch.float32)
        places = at_rest + task.sigma * torch.randn(task.rattles, *at_rest.shape, generator=generator)
        with torch.no_grad():
            aev = computer((kinds.expand(task.rattles, -1), places)).aevs
        conformer = (k * task.rattles + torch.arange(task.rattles))[:, None].expand(-1, len(kinds))
        for e in range(len(species)):
            features[e].append(aev[:, kinds == e].flatten(0, 1))
            owner[e].append(conformer[:, kinds == e].flatten())
    return Conformers(tuple(map(torch.cat, features)), tuple(map(torch.cat, owner)), len(chosen) * task.rattles)


def energies(model: nn.Module, params: Params, data: Conformers) -> Tensor:
    """Return the total energy of every conformer, in Hartree and without the energies of single atoms, shape ``[conformers]``."""
    total = torch.zeros(data.count)
    with torch.no_grad():
        for part, owner in zip(functional_call(model, params, (list(data.features),)), data.owner, strict=True):
            total.index_add_(0, owner, part[:, 0])
    return total
