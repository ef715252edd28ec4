"""Every method of matching, in one table. A new method is one file and one entry here."""

from parasym.orbit.activation import ActivationMatching
from parasym.orbit.method import AbstractMethod
from parasym.orbit.weight import WeightMatching

METHODS: dict[str, type[AbstractMethod]] = {
    "weight": WeightMatching,
    "activation": ActivationMatching,
}
