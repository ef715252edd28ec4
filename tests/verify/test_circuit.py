"""What `verify` needs of circuits: the right symmetry, and changes along its directions in the right measure."""

import pytest
import torch

from parasym.circuits import ising_ring, layered
from parasym.core import ShapeError
from parasym.groups import Drift
from parasym.symmetry import Factor, Flat, Symmetry, Wire
from parasym.verify import verify
from parasym.verify.circuit_completeness import _tangents

ANGLES = Flat((("angles", (9,)),))
RING = layered(3, 2, final=True, observables=(ising_ring(3),))


@pytest.mark.parametrize("shapes", [(("angles", (5,)),), (("others", (9,)),), ()], ids=["shape", "name", "none"])
def test_a_trivial_symmetry_of_another_circuit_is_refused_too(shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> None:
    with pytest.raises(ShapeError, match=r"of another circuit: it knows no parameters `angles` of shape \(9,\)"):
        verify(RING, Symmetry((), shapes))
    assert verify(RING, Symmetry((), (("angles", (9,)),))).holds == "yes"


def test_how_far_outputs_change_is_relative_to_how_far_they_can() -> None:
    claimed = Factor(Drift(9, ((1, 0, 0, 0, 0, 0, 0, 0, 0), (0, 1, 1, 0, 0, 0, 0, 0, 0))), Wire("angles", 9), (), (ANGLES,))
    symmetry, point = Symmetry((claimed,), (("angles", (9,)),)), torch.zeros(9, dtype=torch.float64)
    rows = torch.randn(6, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis, changes = _tangents(RING, symmetry, rows, point, list(range(9)))
    torch.testing.assert_close(basis.T @ basis, torch.eye(2, dtype=torch.float64))
    assert changes == pytest.approx(float((rows @ basis).norm(dim=0).max() / torch.linalg.svdvals(rows)[0]))
    assert _tangents(RING, Symmetry((), symmetry.shapes), rows, point, list(range(9)))[1] == 0
