"""The thread that turns quotes into orders: those that come together are ordered together."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from admin.checkout import batch
from admin.checkout.batch import Done, Moved, Outcome
from admin.checkout.models import Ordered, Wish
from admin.checkout.ordering import TRIES_MAX, changing
from admin.checkout.refusing import Refusal, fresh_quotes
from admin.orders import views
from admin.quotes.quoting import Quoter
from admin.resources import Resources
from admin.together import Together, Waiting, settle
from gateway.orders.database import reading
from gateway.orders.tables import orders

Waits = Waiting[Wish, Ordered]


class CheckoutDesk(Together[Wish, Ordered]):
    """Orders quotes; each is answered once its order is committed."""

    name = "checkout desk"
    requests = "checkouts"
    waiting_max = 2000
    together_max = 64

    def __init__(self, resources: Resources) -> None:
        super().__init__()
        self._resources = resources
        self._quoter = Quoter(resources)

    def serve(self, taken: Sequence[Waits]) -> None:
        """Order some quotes. Two that would be one order do not come together: the second finds the first's."""
        left = list(taken)
        while left:
            now, left = _apart(left)
            try:
                self._several(now)
            except IntegrityError:
                # Another process has used a key at this moment. Who is not concerned has no part in it.
                self._each(now)
            except Exception as error:
                settle(now, error)
                continue
            settle(now)

    def _each(self, waiting: Sequence[Waits]) -> None:
        for each in waiting:
            each.failure = None
            try:
                self._several([each])
            except IntegrityError:
                # By now it can be seen who was first.
                self._again(each)
            except Exception as error:
                each.failure = error

    def _again(self, waiting: Waits) -> None:
        try:
            self._several([waiting])
        except Exception as error:
            waiting.failure = error

    def _several(self, waiting: Sequence[Waits]) -> None:
        """Order what can be ordered, in one transaction, and give everybody a reply or a failure."""
        found, outcomes = batch.find(self._resources, [each.asked for each in waiting])
        for _ in range(TRIES_MAX if found else 0):
            try:
                made = batch.order(self._resources, self._quoter, found)
                break
            except Moved:
                continue
        else:
            made = {each.wish: changing() for each in found}
        outcomes |= made
        self._reply(waiting, outcomes)
        refused = [each for each in found if isinstance(outcomes[each.wish], Refusal)]
        if refused:
            replies = fresh_quotes(self._resources, [each.asked for each in refused])
            conflicts = {
                each.wish: refusal.conflict(reply)
                for each, reply in zip(refused, replies, strict=True)
                for refusal in (outcomes[each.wish],)
                if isinstance(refusal, Refusal)
            }
            for each in waiting:
                each.failure = conflicts.get(each.asked, each.failure)

    def _reply(self, waiting: Sequence[Waits], outcomes: dict[Wish, Outcome]) -> None:
        numbers = [outcome.order_no for outcome in outcomes.values() if isinstance(outcome, Done)]
        shown: dict[str, bytes] = {}
        if numbers:
            with reading(self._resources.engine) as connection:
                rows = connection.execute(select(orders).where(orders.c.order_no.in_(numbers))).all()
                for order in views.several_in_full(self._resources, connection, rows, for_shopper=True):
                    shown[order.order_no] = order.model_dump_json().encode()
        for each in waiting:
            outcome = outcomes[each.asked]
            if isinstance(outcome, Done):
                each.reply = Ordered(shown[outcome.order_no], outcome.new)
            else:
                each.failure = outcome


def _apart(waiting: Sequence[Waits]) -> tuple[list[Waits], list[Waits]]:
    """The first of those that have a token or a key in common, and the others."""
    seen: set[tuple[str, str]] = set()
    first: list[Waits] = []
    others: list[Waits] = []
    for each in waiting:
        wish = each.asked
        marks = {("token", wish.given.token)} | ({(wish.owner, wish.key)} if wish.key else set())
        (others if marks & seen else first).append(each)
        seen |= marks
    return first, others
