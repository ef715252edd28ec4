"""The numbers by which a file names types, formats and layouts, against those with which torch writes."""

import torch
from torch._export.serde import serialize

from parasym.checkpoint.exported.argument import DTYPES, MEMORY_FORMATS, STRIDED


def test_numbers_are_those_of_torch() -> None:
    known = {int(k): v for k, v in serialize._SERIALIZE_TO_TORCH_DTYPE.items()}
    unsigned = {torch.uint32, torch.uint64}  # which torch writes from 2.12 on
    assert {k: known.get(k) for k, v in DTYPES.items() if v not in unsigned or k in known} == {
        k: v for k, v in DTYPES.items() if v not in unsigned or k in known
    }
    assert {known[k] for k in known.keys() - DTYPES.keys()} <= {torch.float8_e8m0fnu}  # with which nothing computes
    assert {int(k): v for k, v in serialize._SERIALIZE_TO_TORCH_MEMORY_FORMAT.items()} == MEMORY_FORMATS
    assert int(serialize._TORCH_TO_SERIALIZE_LAYOUT[torch.strided]) == STRIDED
