"""Data without downloads: images and graphs from packages, folders and generators."""

from parasym.data._table import SOURCES
from parasym.data.cifar import load_cifar10
from parasym.data.columns import load_columns
from parasym.data.digits import load_digits
from parasym.data.fashion import load_fashion
from parasym.data.graph import NodeLabels, block_model, karate
from parasym.data.images import Images, normalised
from parasym.data.load import load
from parasym.data.mnist5k import load_mnist5k
from parasym.data.own import load_own
from parasym.data.planetoid import planetoid
from parasym.data.source import Source

__all__ = [
    # values
    "Images",
    "NodeLabels",
    "Source",
    # the table
    "SOURCES",
    "load",
    # one loader per source
    "block_model",
    "karate",
    "load_cifar10",
    "load_columns",
    "load_digits",
    "load_fashion",
    "load_mnist5k",
    "load_own",
    "normalised",
    "planetoid",
]
