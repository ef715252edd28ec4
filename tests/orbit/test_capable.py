"""A verb that cannot deal with a group says so, and one that can finds the planted element."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from parasym.circuits import find_circuit, ising_ring, layered
from parasym.core import SymmetryError
from parasym.groups import AbstractGroup, Permutation
from parasym.orbit import canonicalize, distance, match, match_many, merge
from parasym.orbit.objective import gap
from parasym.symmetry import Binding, Factor, Part, Slot, Swap, Symmetry, Wire

VERBS = {
    "match": match,
    "distance": distance,
    "match_many": lambda symmetry, a, b: match_many(symmetry, [a, b]),
    "merge": lambda symmetry, a, b: merge(symmetry, [a, b]),
    "canonicalize": lambda symmetry, a, b: canonicalize(symmetry, a),
}


@dataclass(frozen=True)
class Ring(AbstractGroup):
    """The rotations of a ring of channels, which nobody can align."""

    continuous = False
    element_ndim = 1

    @property
    def order(self) -> int:
        return self.size

    def identity(self, batch=(), *, dtype, device="cpu") -> Tensor:
        return torch.zeros(*batch, 1, dtype=torch.int64, device=device)

    def sample(self, batch=(), *, generator=None, dtype, device="cpu") -> Tensor:
        return torch.randint(self.size, (*batch, 1), generator=generator).to(device)

    def compose(self, g: Tensor, h: Tensor) -> Tensor:
        return (g + h) % self.size

    def inverse(self, g: Tensor) -> Tensor:
        return -g % self.size

    def act(self, g: Tensor, x: Tensor, axis: int, *, dual: bool = False) -> Tensor:
        return Permutation(self.size).act((torch.arange(self.size) - g) % self.size, x, axis)


@dataclass(frozen=True)
class AlignedRing(Ring):
    def align(self, products: Tensor) -> Tensor:
        batch = products.shape[:-2]
        shifts = [self.product(torch.full((*batch, 1), k), products) for k in range(self.size)]
        return torch.stack(shifts, -1).argmax(-1, keepdim=True)

    def orient(self, vector: Tensor) -> Tensor:
        return -vector.argmax(-1, keepdim=True) % self.size


def whole(tensor: str, axis: int, n: int) -> Binding:
    return Binding(tensor, Slot.whole(axis, n))


def between_layers(group: AbstractGroup) -> Symmetry:
    n = group.size
    factor = Factor(group, Wire("up[0]", n), (), (whole("up", 0, n), whole("down", 1, n)))
    return Symmetry((factor,), (("up", (n, 4)), ("down", (3, n))))


def models(symmetry: Symmetry) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    a = {name: torch.randn(shape, generator=generator, dtype=torch.float64) for name, shape in symmetry.shapes}
    return a, symmetry.sample(generator=generator)(a)


@pytest.mark.parametrize("verb", VERBS)
def test_a_group_that_cannot_be_aligned_is_refused_by_name(verb: str):
    symmetry = between_layers(Ring(5))
    a, b = models(symmetry)
    assert gap(a, b) > 1  # unaligned, the answer would be this number
    with pytest.raises(SymmetryError, match=rf"`{verb}` needs `Ring\..*Ring\(5\) on wire `up\[0\]`.*without\(Ring\)"):
        VERBS[verb](symmetry, a, b)
    VERBS[verb](symmetry.without(Ring), a, b)


def test_with_three_lines_it_is_aligned():
    symmetry = between_layers(AlignedRing(5))
    a, b = models(symmetry)
    assert gap(a, b) > 1
    assert gap(a, symmetry.act(match(symmetry, a, b), b)) < 1e-12
    assert float(distance(symmetry, a, b)) < 1e-12
    one, two = canonicalize(symmetry, a).params, canonicalize(symmetry, b).params
    assert gap(one, two) < 1e-12
    everything = torch.stack([symmetry.only().act(symmetry.only().identity(), a)["up"].roll(k, 0) for k in range(5)])
    assert bool((everything - one["up"]).flatten(1).norm(dim=1).min() < 1e-12)  # a rotation, not any permutation


@pytest.mark.parametrize("verb", VERBS)
def test_angles_are_no_weights(verb: str):
    symmetry = find_circuit(layered(2, 2, final=True, observables=(ising_ring(2),)))
    a = {name: torch.ones(shape, dtype=torch.float64) for name, shape in symmetry.shapes}
    with pytest.raises(SymmetryError, match=rf"`{verb}` compares weights, but Z2.*`hop`"):
        VERBS[verb](symmetry, a, a)


def test_exchanges_in_some_orders_only_are_refused():
    members = tuple((Part(f"e{k}"),) for k in range(4))
    factor = Factor(Permutation(4, ((0, 1), (2, 3))), Wire("e0", 4), (), (Swap(members),))
    symmetry = Symmetry((factor,), tuple((f"e{k}", (3,)) for k in range(4)))
    a, b = models(symmetry)
    with pytest.raises(SymmetryError, match="allows some orders only"):
        match(symmetry, a, b)
    free = replace(symmetry, factors=(replace(factor, group=Permutation(4)),))
    assert gap(a, free.act(match(free, a, b), b)) < 1e-12
