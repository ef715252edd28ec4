"""``find`` returns the same answer every time: nothing depends on where objects lie in memory."""

import torch
from torch import nn

from parasym.find import find


def test_two_choices_are_decided_in_one_way():
    # Six channels, of which either pairs within triples or triples within pairs can be exchanged.
    shuffle = nn.Sequential(nn.Conv2d(2, 6, 1), nn.ChannelShuffle(2), nn.ReLU(), nn.Conv2d(6, 3, 1))
    first = find(shuffle, (torch.zeros(1, 2, 3, 3),))
    kept = []
    for _ in range(20):
        kept.append([object() for _ in range(len(kept) * 7)])  # other addresses
        assert find(shuffle, (torch.zeros(1, 2, 3, 3),)) == first
