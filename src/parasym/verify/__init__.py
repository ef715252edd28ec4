"""Is a symmetry true, and is it all of it? Soundness, completeness, and two independent oracles."""

from parasym.core import Verdict
from parasym.verify.lie_algebra import InterfaceAlgebra, interface_algebra
from parasym.verify.report import Completeness, Report, Rest, Row, worst
from parasym.verify.sameness import Sameness, same_function
from parasym.verify.verify import verify

__all__ = [
    "Completeness",
    "InterfaceAlgebra",
    "Report",
    "Rest",
    "Row",
    "Sameness",
    "Verdict",
    "interface_algebra",
    "same_function",
    "verify",
    "worst",
]
