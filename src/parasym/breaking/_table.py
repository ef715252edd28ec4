"""Every way to break symmetries, in one table. A new method is one file and one entry here."""

from parasym.breaking.method import AbstractBreaking
from parasym.breaking.sigma_asymmetric import SigmaAsymmetric
from parasym.breaking.w_asymmetric import WAsymmetric

METHODS: dict[str, type[AbstractBreaking]] = {
    "w-asymmetric": WAsymmetric,
    "sigma-asymmetric": SigmaAsymmetric,
}
