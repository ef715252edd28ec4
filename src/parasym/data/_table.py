"""Every source of data, in one table. A new source is one file and one entry here."""

from parasym.data.cifar import load_cifar10
from parasym.data.digits import digits_source
from parasym.data.fashion import load_fashion
from parasym.data.graph import block_model, karate
from parasym.data.mnist5k import load_mnist5k
from parasym.data.own import load_own
from parasym.data.planetoid import planetoid
from parasym.data.source import Source

SOURCES: tuple[Source, ...] = (
    Source("digits", "digits of scikit-learn, 8 by 8", digits_source),
    Source("mnist5k", "5,000 images of MNIST", load_mnist5k, "CSV file of 784 pixels and a label"),
    Source("fashion", "Fashion-MNIST", load_fashion, "folder of IDX files"),
    Source("cifar10", "CIFAR-10", load_cifar10, "folder of Parquet files, or torchvision's"),
    Source("blocks", "stochastic block model, generated", block_model),
    Source("karate", "Zachary's karate club", karate),
    Source("planetoid", "a citation graph", planetoid, "folder of one graph, as PyG keeps it; read as data"),
    Source("own", "arrays of your own", load_own, ".npz file of x_train, y_train, x_test, y_test"),
)
