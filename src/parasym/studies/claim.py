"""A claim of a paper, and whether our numbers bear it out."""

from dataclasses import dataclass
from typing import Literal

from parasym.studies.interval import Estimate

Verdict = Literal["yes", "no", "unsure"]
WORDS: dict[Verdict, str] = {"yes": "holds", "no": "does not hold", "unsure": "not settled"}


@dataclass(frozen=True)
class Claim:
    """A claim that a quantity is below zero (or above), such as a difference of two barriers.

    It holds if the whole interval has the claimed sign, does not hold if the number itself has the other sign (or is zero),
    and is not settled in between or if no value could be measured.

    Attributes:
        text: What is claimed.
        ours: The quantity; ``None`` if nothing could be measured.
        below: Whether it is claimed to be below zero, or else above.
        paper: The paper's numbers, as text; empty if the paper says nothing about it.

    Example:
        >>> one = Claim("A is below B", Estimate(-0.3, -0.4, -0.2, 5))
        >>> two, three = Claim("", Estimate(-0.3, -0.9, 0.3, 5)), Claim("", Estimate(0.3, -0.9, 1.5, 5))
        >>> one.words, two.words, three.words
        ('holds', 'not settled', 'does not hold')
    """

    text: str
    ours: Estimate | None
    below: bool = True
    paper: str = ""

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        if self.ours is None:
            return "unsure"
        if (self.ours.mean >= 0) if self.below else (self.ours.mean <= 0):
            return "no"
        return "yes" if ((self.ours.high < 0) if self.below else (self.ours.low > 0)) else "unsure"

    @property
    def words(self) -> str:
        """The verdict for people."""
        return WORDS[self.verdict]


def together(claims: tuple[Claim, ...]) -> Verdict:
    """Return "yes" if all claims hold, "no" if one does not, and "unsure" otherwise, or without claims.

    Args:
        claims: The claims.
    """
    found = {claim.verdict for claim in claims}
    return "no" if "no" in found else "yes" if found == {"yes"} else "unsure"
