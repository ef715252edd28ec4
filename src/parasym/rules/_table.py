"""Every rule, in one table. A new family is one file and one entry here."""

from parasym.rules import (
    attention,
    bag,
    convolution,
    creation,
    grouped,
    indexing,
    matmul,
    normalization,
    pointwise,
    pooling,
    random,
    recurrent,
    reduction,
    rotary,
    scattering,
    shape,
    slicing,
)
from parasym.rules.rule import Rule

RULES: tuple[Rule, ...] = (
    *shape.RULES,
    *slicing.RULES,
    *pointwise.RULES,
    *matmul.RULES,
    *convolution.RULES,
    *normalization.RULES,
    *pooling.RULES,
    *reduction.RULES,
    *indexing.RULES,
    *grouped.RULES,
    *bag.RULES,
    *scattering.RULES,
    *random.RULES,
    *attention.RULES,
    *recurrent.RULES,
    *rotary.RULES,
    *creation.RULES,
)

BY_NAME: dict[str, Rule] = {name: rule for rule in RULES for name in rule.names}
