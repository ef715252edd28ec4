"""Every model of the corpus: small kinds of coarse pins, the zoo, and models of other libraries."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from corpus.libraries import LIBRARIES, Library
from parasym.zoo import ZOO, Entry
from tests.find.test_coarse import COARSE
from tests.third_party.third_party_cases import CASES, Case

Built = tuple[nn.Module, tuple[Any, ...], Mapping[str, Any]]


def _zoo(entry: Entry) -> Callable[[], Built]:
    return lambda: (entry.model(), entry.inputs(torch.Generator().manual_seed(0)), {})


def _kind(name: str) -> Callable[[], Built]:
    return lambda: (COARSE[name][0], COARSE[name][1], {})


def _case(case: Case) -> Callable[[], Built]:
    def build() -> Built:
        built = case.build()
        return built.model.eval(), built.args, built.kwargs

    return build


def _library(one: Library) -> Callable[[], Built]:
    def build() -> Built:
        model, inputs = one.build()
        return model, (), inputs

    return build


SMALL: dict[str, Callable[[], Built]] = {
    **{f"kind: {name}": _kind(name) for name in COARSE},
    **{f"zoo: {entry.name}": _zoo(entry) for entry in ZOO[::5]},
}
"""Those that every run of the tests looks at."""

MODELS: dict[str, Callable[[], Built]] = {
    **SMALL,
    **{f"zoo: {entry.name}": _zoo(entry) for entry in ZOO},
    **{f"library: {case.name}": _case(case) for case in CASES},
    **{f"library: transformers {name}": _library(one) for name, one in LIBRARIES.items()},
}
