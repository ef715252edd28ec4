"""rebasin in a process of its own: ``python -m benchmarks.rebasin_process PAIR.pt OUT.pt SECONDS``.

It overwrites modules of other packages, and a run that does not end can be ended from outside.
"""

import sys
import time
import warnings
from typing import Any

import torch


def main(source: str, target: str, limit: str) -> None:
    """Read a case and two states, bring the second to the first, write seconds and the moved state, or that it was cut off."""
    from rebasin import PermutationCoordinateDescent

    from benchmarks.match_peers import build
    from benchmarks.measure import TimeLimitError, time_limit

    torch.set_num_threads(1)
    pair: dict[str, Any] = torch.load(source, weights_only=True)
    a, b = build(pair["case"], pair["width"]), build(pair["case"], pair["width"])
    a.load_state_dict(pair["a"])
    b.load_state_dict(pair["b"])
    try:
        with warnings.catch_warnings(), time_limit(float(limit)):
            warnings.simplefilter("ignore")
            start = time.process_time()
            descent = PermutationCoordinateDescent(a, b, pair["x"])
            traced = time.process_time() - start
            start = time.process_time()
            descent.calculate_permutations()
            seconds = time.process_time() - start
            descent.apply_permutations()
    except TimeLimitError:
        torch.save({"cut": True}, target)
        return
    torch.save({"traced": traced, "seconds": seconds, "b": b.state_dict()}, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
