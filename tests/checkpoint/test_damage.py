"""Damaged files: bytes flipped, cut off and exchanged at random. None is a crash; where there is a checksum none is believed."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from parasym.checkpoint import read_checkpoint
from parasym.core import CheckpointError
from tests.checkpoint.files import ARCHIVES, FILES

WEIGHTS = {f"layer{k}.{part}": torch.randn(9, 4, generator=torch.manual_seed(k)) for k in range(3) for part in ("weight", "bias")}
TRIES = 60


def flipped(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwritten(data: bytearray, draw: random.Random) -> None:
    begin, size = draw.randrange(len(data)), draw.choice((1, 4, 64))
    data[begin : begin + size] = draw.randbytes(len(data[begin : begin + size]))


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def exchanged(data: bytearray, draw: random.Random) -> None:
    size = draw.choice((1, 8, 64))
    a, b = (draw.randrange(len(data) - size) for _ in range(2))
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]


def longer(data: bytearray, draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at:at] = draw.randbytes(draw.choice((1, 16)))


DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (flipped, overwritten, cut, exchanged, longer)


def outcomes(folder: Path, name: str, tries: int, seed: int = 0) -> dict[str, int]:
    """How many damaged copies of a file are refused, read as they were, read with a note, and read wrong without a word."""
    draw = random.Random(seed)
    FILES[name](folder / name, WEIGHTS)
    whole = (folder / name).read_bytes()
    found: dict[str, int] = {"refused": 0, "right": 0, "noted": 0, "wrong": 0}
    for k in range(tries):
        data = bytearray(whole)
        DAMAGES[k % len(DAMAGES)](data, draw)
        (folder / name).write_bytes(data)
        try:
            read = read_checkpoint(folder / name)
        except CheckpointError:
            found["refused"] += 1
            continue
        same = read.params.keys() == WEIGHTS.keys()
        same = same and all(torch.equal(read.params[n].nan_to_num(7), v) for n, v in WEIGHTS.items())
        found["right" if same else "noted" if read.notes else "wrong"] += 1
    return found


@pytest.mark.parametrize("name", FILES)
def test_no_damage_is_a_crash_and_where_there_is_a_checksum_none_is_believed(tmp_path: Path, name: str) -> None:
    found = outcomes(tmp_path, name, TRIES)
    assert sum(found.values()) == TRIES
    assert found["refused"] > TRIES / 5
    if name in ARCHIVES:
        assert found["wrong"] == found["noted"] == 0
    else:
        assert found["wrong"] > 0  # no checksum: the table says so


def test_the_same_file_without_checksums_is_believed_and_says_so(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(compute_crc32=False)
    try:
        found = outcomes(tmp_path, "a.pt", TRIES)
    finally:
        torch.serialization.set_crc32_options(compute_crc32=True)
    assert found["noted"] > 0
    assert found["wrong"] == 0
