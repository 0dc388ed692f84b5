"""The sidecar's share in the fence: it approves or recovers offers where no order writer is at hand."""

from __future__ import annotations

from admin.resources import Resources
from admin.rounds import Rounds
from gateway.orders.fence import FenceWatcher
from gateway.orders.ledger import Ledger


class Fence(Rounds):
    """Looks after the fence. The order writers do the same, and whoever comes second finds nothing to do."""

    name = "fence"

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        settings = resources.settings
        ledger = Ledger(
            resources.engine, min_pay_window_ms=settings.min_pay_window_s * 1000, currency=settings.currency
        )
        self._watcher = FenceWatcher(settings, resources.engine, ledger)

    def round(self) -> None:
        """Compare, recover and approve if Redis has restarted.

        Raises:
            RedisError, SQLAlchemyError: a store cannot be used; the next round tries again.
        """
        self._watcher.check()

    def complaints(self) -> list[str]:
        """Offers that stay closed, beside what every thread complains of."""
        closed = [f"offer {offer} stays closed: {reason}" for offer, reason in sorted(self._watcher.closed.items())]
        return [*super().complaints(), *closed]

    def stop(self) -> None:
        """Stop after the step under way."""
        super().stop()
        self._watcher.close()
