"""A claim, such as that of a paper, and whether our numbers bear it out."""

from dataclasses import dataclass
from typing import Literal

from parasym.studies.interval import FEWEST, LEVEL, Estimate

Verdict = Literal["yes", "no", "unsure"]
WORDS: dict[Verdict, str] = {"yes": "holds", "no": "does not hold", "unsure": "not settled"}
SIZE = 1 - LEVEL
ROUNDING = 1e-9


@dataclass(frozen=True)
class Claim:
    r"""A claim about a quantity: that method A is below or above method B or a bound, or that the two are equivalent.

    Let :math:`\delta` be the quantity of A less that of B. "<" and ">" hold if the whole interval of :math:`\delta` has the
    claimed sign, do not hold if the whole interval has the other, and are not settled otherwise: exchange the sides, and the
    verdicts are exchanged. "=" holds if both one-sided tests reject :math:`|\delta| \ge m` for the margin :math:`m`, which is the
    case if the 90 % interval lies within :math:`\pm m`; does not hold if the 95 % interval lies beyond :math:`m` or :math:`-m`;
    and is not settled otherwise. Of many claims each is judged by its adjusted p-value, see :func:`corrected`.

    Attributes:
        quantity: What is compared.
        a: Method A.
        sense: How A is claimed to be to B.
        b: Method B, or a bound.
        ours: The quantity of A less that of B; ``None`` if nothing could be measured.
        margin: Of an equivalence; ``None`` if it cannot be stated.
        unit: Of bound and margin.
        scale: What figures divide by; the margin of an equivalence if ``None``.
        said: The paper's numbers, as text; empty if the paper says nothing about it.
        theirs: The paper's difference, divided by the paper's own scale; ``None`` if it lacks a number.
        control: Whether it is a control that the paper lacks.
        adjusted: The p-value after correction for all claims of the study; ``None`` if it stands alone.

    Example:
        >>> one = Claim("barrier", "A", "<", "B", Estimate(-0.3, -0.4, -0.2, 5))
        >>> two, three = (Claim("barrier", "A", "<", "B", Estimate(m, m - 0.4, m + 0.4, 5)) for m in (0.3, 0.5))
        >>> one.words, two.words, three.words
        ('holds', 'not settled', 'does not hold')
        >>> same = Claim("barrier", "A", "=", 0.0, Estimate(0.01, -0.02, 0.04, 5), margin=0.05, unit="nats")
        >>> print(same.text, "-", same.words)
        barrier: A = 0 within ±0.05 nats - holds

    References:
        Schuirmann. A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of
        average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics 1987.
    """

    quantity: str
    a: str
    sense: Literal["<", ">", "="]
    b: str | float
    ours: Estimate | None
    margin: float | None = None
    unit: str = ""
    scale: float | None = None
    said: str = ""
    theirs: float | None = None
    control: bool = False
    adjusted: float | None = None

    @property
    def text(self) -> str:
        """What is claimed, in words that are made of the statistic."""
        words = [f"{self.quantity}: {_one(self.a)} {self.sense} {_one(self.b)}"]
        if self.sense == "=":
            words.append("within a margin" if self.margin is None else f"within ±{self.margin:.3g}")
        if self.unit and (self.margin is not None if self.sense == "=" else not isinstance(self.b, str)):
            words.append(self.unit)
        return ("control, " if self.control else "") + " ".join(words)

    @property
    def p(self) -> float:
        """The p-value, before any correction: two-sided, or that of the two one-sided tests where these point to equivalence."""
        if self.ours is None or (self.sense == "=" and self.margin is None):
            return 1.0
        if self.margin is None or self.sense != "=":
            return self.ours.p_value()
        sides = [self.ours.p_value(end) for end in (-self.margin, self.margin)]
        return max(sides) / 2 if abs(self.ours.mean) < self.margin else max(sides)

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        settled = (self.p if self.adjusted is None else self.adjusted) <= SIZE * (1 + ROUNDING)
        return self._leaning if settled else "unsure"

    @property
    def words(self) -> str:
        """The verdict for people."""
        return WORDS[self.verdict]

    @property
    def reason(self) -> str:
        """Why it is not settled; empty if it is."""
        if self.verdict != "unsure":
            return ""
        if self.ours is None:
            return "nothing measured"
        if self.sense == "=" and self.margin is None:
            return "no margin, since what it is a share of may be 0"
        if self.ours.n < FEWEST:
            return f"fewer than {FEWEST} values"
        if self._leaning == "unsure":
            return "no difference at all"
        return "one of many claims" if self.p <= SIZE * (1 + ROUNDING) else "both are possible"

    @property
    def _leaning(self) -> Verdict:
        if self.ours is None:
            return "unsure"
        if self.sense == "=":
            return "unsure" if self.margin is None else "yes" if abs(self.ours.mean) < self.margin else "no"
        if self.ours.mean == 0:
            return "unsure"
        return "yes" if (self.ours.mean < 0) == (self.sense == "<") else "no"


def _one(side: str | float) -> str:
    """Return one side as one term: what comes after a comma in the name of a method stands in brackets."""
    if not isinstance(side, str):
        return f"{side:g}"
    name, comma, how = side.partition(", ")
    return f"{name} ({how})" if comma else name
