"""Seeds that are the same in every process."""

import hashlib

import torch


def child_seed(seed: int, label: str) -> int:
    """Return a seed in ``[0, 2**63)`` drawn from ``seed`` and ``label`` by SHA-256.

    Unlike ``hash``, the result does not depend on the process.

    Args:
        seed: The parent seed.
        label: What the child is for; different labels give independent seeds.

    Returns:
        The child's seed.

    Example:
        >>> child_seed(0, "fc1.weight")
        2009870847389395419
        >>> child_seed(0, "fc2.weight")
        4968292651640687345
    """
    digest = hashlib.sha256(f"{seed}:{label}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def child_generator(seed: int, label: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a ``torch.Generator`` seeded by :func:`child_seed`.

    Args:
        seed: The parent seed.
        label: What the child is for.
        device: The generator's device.

    Returns:
        A new generator.
    """
    return torch.Generator(device).manual_seed(child_seed(seed, label))
