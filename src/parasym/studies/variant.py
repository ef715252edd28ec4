"""What is done to a network before it is trained: broken, or changed as a control."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from parasym.breaking import dense, trainable_count
from parasym.core import BadInputError, child_seed
from parasym.studies.paper_network import Data, PaperNetwork


@dataclass(frozen=True)
class Variant:
    """A way to make the networks of a comparison.

    Attributes:
        name: Short name.
        title: Name for people.
        make: Makes a network for data, at a multiple of the width; the seed is that of what networks share, be it frozen or only
            a start. All else comes from torch's global generator, which is seeded anew for every network.
        control: Whether it is a control that the paper lacks.
        matched: Whether the networks are also matched: only where there is something to match.
    """

    name: str
    title: str
    make: Callable[[PaperNetwork, Data, float, int], nn.Module]
    control: bool = False
    matched: bool = False


def _standard(network: PaperNetwork, data: Data, width: float, _seed: int) -> nn.Module:
    return network.build(data, width)


def _w(network: PaperNetwork, data: Data, width: float, seed: int, scale: float = 1.0) -> nn.Module:
    return network.w(network.build(data, width), data, width, seed=seed, scale=scale)


def _anchor(network: PaperNetwork, data: Data, width: float, seed: int) -> nn.Module:
    return dense(_w(network, data, width, seed))


def _shared_start(network: PaperNetwork, data: Data, width: float, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(child_seed(seed, "shared start"))
        return network.build(data, width)


def _sigma(network: PaperNetwork, data: Data, width: float, seed: int) -> nn.Module:
    return network.sigma_asymmetric(network.build(data, width), data, width, seed=seed)


def _kaiming(network: PaperNetwork, data: Data, width: float, _seed: int) -> nn.Module:
    model = network.build(data, width)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight)
    return model


def _half(network: PaperNetwork, data: Data, width: float, _seed: int) -> nn.Module:
    return network.build(data, width / 2)


def _double(network: PaperNetwork, data: Data, width: float, _seed: int) -> nn.Module:
    return network.build(data, width * 2)


def _as_many(network: PaperNetwork, data: Data, width: float, seed: int) -> nn.Module:
    return network.build(data, width_of_as_many(network, data, width, seed=seed))


def width_of_as_many(network: PaperNetwork, data: Data, width: float, *, seed: int) -> float:
    """Return the width at which the plain network has about as many parameters as the W-asymmetric one trains.

    Args:
        network: The network.
        data: What it is for.
        width: Multiple of the width of the W-asymmetric one.
        seed: Of what is frozen.

    Returns:
        A multiple of the width: of the two integer widths around, the one with the closer count.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        wanted = trainable_count(_w(network, data, width, seed))

        def count(at: float) -> int:
            return sum(p.numel() for p in network.build(data, at).parameters())

        low, high = 0.5 * width, width  # counts grow with the width, and nowhere is half of the entries frozen
        while high - low > 1e-3 * width:
            middle = (low + high) / 2
            low, high = (low, middle) if count(middle) > wanted else (middle, high)
        return min((low, high), key=lambda at: abs(count(at) - wanted))


VARIANTS: tuple[Variant, ...] = (
    Variant("standard", "standard", _standard, matched=True),
    Variant("sigma", "sigma-asymmetric", _sigma),
    Variant("w", "W-asymmetric", _w),
    Variant("w-zero", "W-asymmetric, constants of 0", partial(_w, scale=0.0), control=True),
    *(
        Variant(f"w-{scale:g}", f"W-asymmetric, constants of {scale:g} times the size", partial(_w, scale=scale), control=True)
        for scale in (0.1, 0.3, 3)
    ),
    Variant("anchor", "standard, starts from the constants of W", _anchor, control=True),
    Variant("shared-start", "standard, both start from the same weights", _shared_start, control=True),
    Variant("as-many", "standard, as many parameters as W trains", _as_many, control=True),
    Variant("half", "standard, half the width", _half, control=True),
    Variant("double", "standard, twice the width", _double, control=True),
    Variant("kaiming", "standard, initialized by He's normal", _kaiming, control=True),
)


def variant_named(name: str) -> Variant:
    """Return the variant of a name.

    Args:
        name: Short name.

    Raises:
        BadInputError: If it is unknown.
    """
    for variant in VARIANTS:
        if variant.name == name:
            return variant
    raise BadInputError(f"Variant `{name}` is unknown. Known are {', '.join(variant.name for variant in VARIANTS)}.")
