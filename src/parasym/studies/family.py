"""Many claims at once: how often one of them is settled by luck."""

from collections.abc import Sequence
from dataclasses import replace

from parasym.studies.claim import Claim, Verdict


def holm(values: Sequence[float]) -> list[float]:
    r"""Return p-values that are adjusted by Holm's method.

    With :math:`p_{(1)} \le \dots \le p_{(m)}` they are :math:`\max_{j \le k} \min(1, (m - j + 1)\, p_{(j)})`. To reject those
    up to 0.05 is wrong about any of the true hypotheses in at most 5 of 100 families, however they depend on each other.

    Args:
        values: The p-values of a family.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03, 0.005])]
        [0.03, 0.06, 0.06, 0.02]

    References:
        Holm. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 1979.
    """
    found, largest = [1.0] * len(values), 0.0
    for rank, k in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[k]))
        found[k] = largest
    return found


def corrected(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Return the claims of one family, each with its adjusted p-value. Those of which nothing was measured are no tests.

    Args:
        claims: All claims of a study.

    Example:
        >>> from parasym.studies.interval import Estimate
        >>> clear, close = Estimate(-0.5, -0.6, -0.4, 5), Estimate(-0.3, -0.59, -0.01, 5)
        >>> [claim.words for claim in corrected([Claim("x", "A", "<", "B", found) for found in (clear, close, close)])]
        ['holds', 'not settled', 'not settled']
    """
    measured = [claim for claim in claims if claim.ours is not None]
    adjusted = iter(holm([claim.p for claim in measured]))
    return tuple(claim if claim.ours is None else replace(claim, adjusted=next(adjusted)) for claim in claims)


def together(claims: Sequence[Claim]) -> Verdict:
    """Return "yes" if all claims hold, "no" if one does not, and "unsure" otherwise, or without claims.

    Args:
        claims: The claims.
    """
    found = {claim.verdict for claim in claims}
    return "no" if "no" in found else "yes" if found == {"yes"} else "unsure"
