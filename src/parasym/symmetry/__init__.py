"""Wires, factors, symmetries and elements: pure data, printable, JSON."""

from parasym.symmetry.binding import Binding, Slot
from parasym.symmetry.coarse import Coarse
from parasym.symmetry.element import Element, Move
from parasym.symmetry.factor import Factor, Wire
from parasym.symmetry.flat import Flat
from parasym.symmetry.frozen import FrozenEntries
from parasym.symmetry.self_check import Refuted, SelfCheck
from parasym.symmetry.shift import Along, Inverse, Shift, Through, Via
from parasym.symmetry.swap import Part, Swap
from parasym.symmetry.symmetry import FlatDirections, Symmetry, Uncovered
from parasym.symmetry.tangents import tangents
from parasym.symmetry.text import group_name
from parasym.symmetry.why import Passage, Reason, Why

__all__ = [
    "Along",
    "Binding",
    "Coarse",
    "Element",
    "Factor",
    "Flat",
    "FlatDirections",
    "FrozenEntries",
    "Inverse",
    "Move",
    "Part",
    "Passage",
    "Reason",
    "Refuted",
    "SelfCheck",
    "Shift",
    "Slot",
    "Swap",
    "Symmetry",
    "Through",
    "Uncovered",
    "Via",
    "Why",
    "Wire",
    "group_name",
    "tangents",
]
