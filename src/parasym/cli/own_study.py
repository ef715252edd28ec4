"""A study of the user's own network: the settings of a preset for it, without what it cannot be asked."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from parasym.core import BadInputError
from parasym.data import load
from parasym.studies import Study
from parasym.studies.applicable import check_fits, left_out
from parasym.studies.harness import DATA_SEED
from parasym.studies.own_network import own_name
from parasym.studies.paper_network import examples, network_named

ALL: dict[str, Any] = {"train": None, "test": None, "width": 1.0}


def own_settings(study: Study, settings: tuple[Any, ...], spec: str, paths: dict[str, Path]) -> tuple[Any, ...]:
    """Return one entry for a network of the user's: the first of the preset, with this network and all of its data.

    Args:
        study: The study.
        settings: Of the preset.
        spec: ``file.py:factory`` or ``package.module:factory``.
        paths: Where data is; the only one of them is the data, ``--set data=NAME`` takes another.

    Raises:
        BadInputError: If the study takes no network, or the file gives none.
    """
    if study.no_model:
        raise BadInputError(f"Study `{study.name}` takes no --model: {study.no_model}.")
    first = settings[0]
    data = next(iter(paths)) if len(paths) == 1 else ""
    variants = tuple(dict.fromkeys((*first.variants, *study.controls)))
    return (replace(first, architecture=own_name(spec), data=data, variants=variants, **ALL),)


def applicable_settings(settings: tuple[Any, ...], paths: dict[str, Path]) -> tuple[tuple[Any, ...], dict[str, str]]:
    """Return an entry of the user's network without the variants that cannot be made of it, and why not.

    Args:
        settings: The entry, after all changes.
        paths: Where data is.

    Raises:
        BadInputError: If there is no data, it does not fit the network, or no variant is left.
    """
    (entry,) = settings
    if not entry.data:
        raise BadInputError("Option --model needs data: --data FILE.npz, or a source, as in --set data=digits.")
    network = network_named(entry.architecture)
    data = load(entry.data, paths.get(entry.data), train=entry.train, test=entry.test, seed=DATA_SEED)
    check_fits(network, data)
    without = left_out(network, data, entry.variants, entry.width)
    count = len(examples(data)[0])
    if "shared-start" in entry.variants and hasattr(entry, "plan") and entry.plan.batch >= count:
        without["shared-start"] = (
            f"a batch is all {count} examples, so that both networks would stay the same: --set plan.batch=N"
        )
    kept = tuple(name for name in entry.variants if name not in without)
    if not kept:
        reasons = "; ".join(f"{name}: {reason.rstrip('.')}" for name, reason in without.items())
        raise BadInputError(f"No variant can be made of `{network.title}`. {reasons}.")
    return (replace(entry, variants=kept),), without
