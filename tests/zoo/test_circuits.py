"""``find`` returns for every circuit of the zoo the order derived by hand, and it is exact."""

from dataclasses import replace

import pytest

from parasym.circuits import Clifford, PauliSum, Rotation
from parasym.find import find
from parasym.symmetry import Symmetry
from parasym.verify import verify
from parasym.zoo import CIRCUITS, CircuitEntry


@pytest.mark.parametrize("entry", CIRCUITS, ids=lambda e: e.name)
def test_find_returns_the_derived_order(entry: CircuitEntry):
    circuit = entry.build()
    symmetry = find(circuit)
    assert symmetry.order == entry.order
    assert Symmetry.from_json(symmetry.to_json()) == symmetry
    assert entry.note


@pytest.mark.parametrize("entry", [e for e in CIRCUITS if e.name.startswith("ry")], ids=lambda e: e.name)
def test_a_circuit_has_the_gates_of_its_name(entry: CircuitEntry):
    rotations, entangler = entry.name.split("_")[:2]
    operations = entry.build().operations
    assert {op.name for op in operations if isinstance(op, Clifford)} == {entangler}
    words = {("" if op.pauli.x else "Z") or ("Y" if op.pauli.z else "X") for op in operations if isinstance(op, Rotation)}
    assert words == set(rotations.upper().replace("R", ""))


@pytest.mark.parametrize("entry", CIRCUITS, ids=lambda e: e.name)
def test_the_group_is_exact(entry: CircuitEntry):
    circuit = entry.build()
    report = verify(circuit, find(circuit), complete=False, samples=2)
    assert report.holds == "yes"
    assert report.error < 1e-12


def test_planted_wrong_observable_is_seen():
    entry = next(e for e in CIRCUITS if e.name == "ry_cx_ising")
    circuit = entry.build()
    other = replace(circuit, observables=(PauliSum.from_labels({"ZIII": 1.0}),))
    assert find(other).order != entry.order
    assert verify(other, find(circuit), complete=False, samples=1).holds == "no"
