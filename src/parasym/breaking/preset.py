"""The paper's tables: how many entries to freeze in which layer, and at which standard deviation."""

from dataclasses import replace

from parasym.breaking.w_asymmetric import WAsymmetric
from parasym.core import BadInputError

PRESETS: dict[str, WAsymmetric] = {
    "mlp": WAsymmetric(
        frozen={"linears.3": 256, "linears.*": 64},
        std={"linears.3": 0.25, "linears.2": 0.5, "linears.*": 1.0},
    ),
    "resnet20": WAsymmetric(
        frozen={"stem": 12, "*.1.0.skip": 6, "*.2.0.skip": 8, "stages.0.*": 36, "stages.1.*": 54, "stages.2.*": 72, "head": 8},
        std=2.0,
    ),
    # Thrice the counts of width 1, which is more than the 27 inputs of the first layer: it is frozen as a whole.
    "resnet20x8": WAsymmetric(
        frozen={
            "stem": 27,
            "*.1.0.skip": 18,
            "*.2.0.skip": 24,
            "stages.0.*": 108,
            "stages.1.*": 162,
            "stages.2.*": 216,
            "head": 24,
        },
        std=2.0,
    ),
    "graph": WAsymmetric(frozen=6, std=0.5),
    # Eight input channels of every output channel; the images have three, so the first layer is frozen as a whole.
    "resnet8": WAsymmetric(frozen={"stem": 3, "*": 8}, std=2.0, unit="filter"),
}
"""By network: ``mlp`` is ``parasym.zoo.paper.NormedMLP``, ``graph`` is ``GraphNet``, the others are ``ResNet``."""


def preset(name: str, *, seed: int = 0) -> WAsymmetric:
    r"""Return the recipe that the paper used for one of its networks.

    Trainable entries keep their initial values, which for layers of torch are the paper's,
    :math:`U(\pm 1/\sqrt{d})`.

    Args:
        name: One of ``PRESETS``.
        seed: Seed of masks and constants.

    Raises:
        BadInputError: If there is no such preset.

    Example:
        >>> preset("graph", seed=3)
        WAsymmetric(frozen=6, std=0.5, distinct=None, unit='entry', init='keep', leftover='keep', pin=(), pin_std=0.5, seed=3)

    References:
        Lim et al. The empirical impact of neural parameter symmetries, or lack thereof. NeurIPS 2024, appendix F.
    """
    if name not in PRESETS:
        raise BadInputError(f"Argument `name` must be one of {', '.join(PRESETS)}, but is {name!r}.")
    return replace(PRESETS[name], seed=seed)
