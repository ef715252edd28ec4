"""Is a symmetry true, and is it all of it? Soundness, completeness, and two independent oracles."""

from parasym.verify.report import Completeness, Report, Rest, Row, Verdict
from parasym.verify.verify import verify

__all__ = ["Completeness", "Report", "Rest", "Row", "Verdict", "verify"]
