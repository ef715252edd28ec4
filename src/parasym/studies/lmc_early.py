"""A pair at a stated train loss: variants that train at different speeds are compared there too."""

from dataclasses import dataclass

from torch import nn

from parasym.core import Params
from parasym.population import EpochReport
from parasym.studies.lmc_measure import Pair, ends_of, segment_of, train_loss
from parasym.studies.paper_network import Data
from parasym.studies.row import Record
from parasym.studies.variant import Variant


@dataclass
class EarlyPair:
    """Two networks as they were after the first epoch in which the train loss of both was below a level.

    Attributes:
        level: The loss, as it is seen in training; ``None`` to keep nothing.
        epoch: Epochs until then.
        networks: Parameters and buffers of both; ``None`` as long as it is not reached.
    """

    level: float | None
    epoch: int = 0
    networks: list[Params] | None = None

    def look(self, report: EpochReport) -> None:
        """Keep the networks if they have come below the level.

        Args:
            report: Of an epoch.
        """
        losses = [record.loss for record in report.records if record.finite]
        if self.level is None or self.networks is not None or len(losses) < 2 or max(losses) >= self.level:
            return
        self.epoch, self.networks = report.epoch + 1, report.networks()

    def added(self, records: list[Record], model: nn.Module, data: Data, variant: Variant) -> list[Record]:
        """Return records with the barrier of these networks, what their train loss is in fact, and after how many epochs.

        Args:
            records: Of the end of the training, one per method.
            model: The architecture, in eval mode.
            data: Their data, on their device.
            variant: How they were made.
        """
        assert self.networks is not None
        a, b = self.networks
        pair = Pair(model, a, b, diverged=False, start=(a, b))
        loss = sum(train_loss(model, params, data) for params in self.networks) / 2
        barriers = {name: segment_of(pair, end, data, points=3).midpoint for name, end in ends_of(pair, data, variant)}
        return [
            record
            if record["diverged"]
            else record
            | {"barrier_at_loss": barriers[record["method"]], "loss_at_loss": loss, "epochs_at_loss": float(self.epoch)}
            for record in records
        ]
