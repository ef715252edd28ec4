"""Every model of the zoo, in one table. A new model is one entry in the file of its family."""

from parasym.zoo.asymmetric import ASYMMETRIC
from parasym.zoo.attention import ATTENTION
from parasym.zoo.batchnorm import BATCHNORM
from parasym.zoo.convolution import CONVOLUTION
from parasym.zoo.entry import Entry
from parasym.zoo.experts import EXPERTS
from parasym.zoo.gated import GATED
from parasym.zoo.graph import GRAPH
from parasym.zoo.mlp import MLP
from parasym.zoo.normalization import NORMALIZATION
from parasym.zoo.recurrent import RECURRENT
from parasym.zoo.reparametrized import REPARAMETRIZED
from parasym.zoo.selection import SELECTION
from parasym.zoo.shifts import SHIFTS
from parasym.zoo.transformer import TRANSFORMER

ZOO: tuple[Entry, ...] = (
    *MLP,
    *CONVOLUTION,
    *BATCHNORM,
    *NORMALIZATION,
    *GATED,
    *RECURRENT,
    *ATTENTION,
    *TRANSFORMER,
    *EXPERTS,
    *GRAPH,
    *REPARAMETRIZED,
    *SELECTION,
    *SHIFTS,
    *ASYMMETRIC,
)
