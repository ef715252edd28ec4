"""Every selector, in one table. A new selector is one file and one entry here."""

from parasym.hopping.exhaustive import Exhaustive
from parasym.hopping.greedy import Greedy
from parasym.hopping.random_elements import RandomElements
from parasym.hopping.selector import AbstractSelector
from parasym.hopping.walsh import WalshDecode

SELECTORS: dict[str, type[AbstractSelector]] = {
    "walsh": WalshDecode,
    "random": RandomElements,
    "greedy": Greedy,
    "exhaustive": Exhaustive,
}
