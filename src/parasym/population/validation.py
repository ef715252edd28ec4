"""How good networks are on a validation set, and which epoch was the best of each."""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from parasym.core import Params
from parasym.functional import has_statistics, reestimate
from parasym.functional.snapshot import forgotten
from parasym.population.data import Data
from parasym.population.gradient import autocast
from parasym.population.network import Network
from parasym.population.objective import IGNORED, Objective


@dataclass
class Best:
    """The best epoch of each network.

    Attributes:
        losses: Least validation losses; infinite before the first epoch.
        epochs: When they were reached; -1 before the first epoch.
        params: Parameters at that time, each of shape ``[networks, numbers]``.
        own: Buffers at that time that differ from network to network, stacked.
    """

    losses: list[float]
    epochs: list[int]
    params: list[Tensor]
    own: Params

    def take(self, k: int, epoch: int, loss: float, params: Sequence[Tensor], own: Params) -> None:
        """Remember an epoch if it is the best so far.

        Args:
            k: Which network.
            epoch: From 0.
            loss: On the validation set.
            params: Of all networks.
            own: Of all networks.
        """
        if not loss < self.losses[k]:
            return
        self.losses[k], self.epochs[k] = loss, epoch
        for mine, theirs in zip(self.params, params, strict=True):
            mine[k] = theirs[k]
        for name, value in own.items():
            if name not in self.own:
                self.own[name] = value.clone()
            self.own[name][k] = value[k]

    def is_stale(self, k: int, epoch: int, patience: int) -> bool:
        """Return whether a network has not become better for so many epochs.

        Args:
            k: Which network.
            epoch: The next one.
            patience: So many; 0 for ever.
        """
        return 0 < patience <= epoch - 1 - self.epochs[k]


class Judge:
    """Evaluates networks in eval mode, without augmentation, label smoothing or dropout.

    Running statistics of normalization layers are those of the training set, as they are in the networks that training returns.

    Args:
        network: The architecture.
        data: The validation set.
        training: The training set.
        objective: The loss.
        precision: Of the forward pass.
        batch: Examples per forward pass.

    Attributes:
        data: The validation set.
    """

    def __init__(self, network: Network, data: Data, training: Data, objective: Objective, *, precision: str, batch: int) -> None:
        self._network, self.data, self._training, self._objective = network, data, training, objective
        self._precision, self._batch = precision, batch
        self._model = copy.deepcopy(network.model).to(data.device).eval()
        self._normalizes = has_statistics(self._model)

    @torch.no_grad()
    def losses(self, rows: Sequence[Tensor], networks: Sequence[tuple[int, Params]], *, together: bool) -> list[float]:
        """Return the mean losses of some networks.

        Args:
            rows: Parameters of all networks, each of shape ``[networks, numbers]``.
            networks: Which, each with its buffers and frozen parameters.
            together: Whether vmap can evaluate them.
        """
        index = torch.arange(len(self.data.y), device=self.data.device)
        parts = [index] if self.data.full else index.split(self._batch)
        if together and not self._normalizes:
            return self._together(rows, networks, parts)
        return [self._alone([x[k] for x in rows], fixed, parts) for k, fixed in networks]

    def _alone(self, row: Sequence[Tensor], fixed: Params, parts: Sequence[Tensor]) -> float:
        params = self._network.unpack(row) | {n: v.clone() for n, v in fixed.items()}  # a forward pass may change buffers
        if self._normalizes:
            self._network.load_(self._model, row, fixed)
            params = reestimate(self._model, dict(self._model.state_dict()), self._training.calls(self._batch))
        weights = [self._weight(part) for part in parts]
        found = math.fsum(float(self._loss(params, part)) * w for part, w in zip(parts, weights, strict=True) if w)
        return found / sum(weights)

    def _together(self, rows: Sequence[Tensor], networks: Sequence[tuple[int, Params]], parts: Sequence[Tensor]) -> list[float]:
        index = torch.tensor([k for k, _ in networks], device=self.data.device)
        some = self._network.unpack([x[index] for x in rows])
        fixed = {n: torch.stack([f[n] for _, f in networks]) for n in networks[0][1]}
        total, count = torch.zeros(len(networks), dtype=torch.float64, device=index.device), 0
        for part in parts:
            if weight := self._weight(part):
                total += weight * vmap(lambda p, part=part: self._loss(p, part))(some | fixed).double()
                count += weight
        return (total / count).tolist()

    def _weight(self, part: Tensor) -> int:
        """Return how many examples a mean loss is a mean of: the cross-entropy leaves ignored labels out."""
        labels = self.data.y if self.data.full else self.data.y[part]
        return int((labels != IGNORED).sum()) if self._objective.loss is cross_entropy else len(labels)

    def _loss(self, params: Params, part: Tensor) -> Tensor:
        inputs, labels = self.data.take(part)
        with autocast(self._precision, labels.device):
            with forgotten(self._model):
                outputs = functional_call(self._model, params, inputs)
            outputs = outputs if self.data.rows is None else outputs.index_select(0, self.data.rows)
            return self._objective.one(outputs, labels, 0.0)
