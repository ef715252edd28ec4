"""One rule per operation: how it is written in a small language of twelve instructions."""

from parasym.rules._table import BY_NAME, RULES
from parasym.rules.builder import Builder
from parasym.rules.program import Program, Value
from parasym.rules.rule import Rule, Unsupported

__all__ = ["BY_NAME", "RULES", "Builder", "Program", "Rule", "Unsupported", "Value"]
