"""Mutations: each breaks one promise in one place, and names the tests that must turn red.

`old` occurs exactly once in its file (a test holds that, so a mutation cannot rot unseen).
"""

from __future__ import annotations

from typing import NamedTuple

LUA = "tests/lua tests/properties"
SHIELD = "tests/gateway/test_shield.py tests/gateway/test_workers.py"
FAULTS = "tests/gateway/test_faults.py"
LEDGER = "tests/gateway/orders/test_orders_ledger.py"
PRICES = "tests/promotions/test_engine_cents.py tests/promotions/test_engine_properties.py"
WRITER = "tests/gateway/orders/test_order_writer.py tests/gateway/orders/test_order_writer_killed.py"


class Mutation(NamedTuple):
    """One change of one line or a few, and where it must be noticed."""

    name: str
    file: str
    old: str
    new: str
    tests: str


MUTATIONS = (
    Mutation(
        "dedupe removed",
        "lua/admit.lua",
        "local record = changed[shopper] or records[index]",
        "local record = changed[shopper]",
        LUA,
    ),
    Mutation(
        "a shopper twice in one batch is not seen",
        "lua/admit.lua",
        "local record = changed[shopper] or records[index]",
        "local record = records[index]",
        LUA,
    ),
    Mutation(
        "stock checked one too late",
        "lua/admit.lua",
        "if left < quantity then",
        "if left < quantity - 1 then",
        LUA,
    ),
    Mutation(
        "check and write swapped: the unit is taken before the limit is looked at",
        "lua/admit.lua",
        "  local slots = '1'\n  if limit > 1 then",
        "  if left >= quantity then\n    left = left - quantity\n  end\n  local slots = '1'\n  if limit > 1 then",
        LUA,
    ),
    Mutation("deadline skipped", "lua/admit.lua", "if now > tonumber(ARGV[4]) then", "if false then", LUA),
    Mutation("fence skipped", "lua/admit.lua", "if offer[3] ~= ARGV[1] then", "if false then", LUA),
    Mutation(
        "hold after a reopening skipped",
        "lua/admit.lua",
        "if not closed and offer[16] and now < tonumber(offer[16]) then",
        "if false then",
        f"{LUA} {SHIELD}",
    ),
    Mutation(
        "a ticket's idempotency key is not looked at",
        "lua/include/tickets.lua",
        "if ticket_key == key then",
        "if false then",
        LUA,
    ),
    Mutation(
        "a stock operation applies as often as it is sent",
        "lua/adjust_stock.lua",
        "if redis.call('HEXISTS', KEYS[4], ARGV[1]) == 1 then",
        "if false then",
        LUA,
    ),
    Mutation(
        "terms go back to an older version",
        "lua/set_offer.lua",
        "if tonumber(version) >= tonumber(ARGV[3]) then",
        "if version == ARGV[3] then",
        LUA,
    ),
    Mutation(
        "the shield makes no exception for winners",
        "gateway/admission/shield.py",
        "        if shopper in self.winners:\n            return False\n",
        "",
        SHIELD,
    ),
    Mutation(
        "the shield's copy of winners need not be exact",
        "gateway/admission/gate.py",
        "if before == after and epoch == str(offer.epoch).encode() and len(winners) == count:",
        "if len(winners) > count:",
        SHIELD,
    ),
    Mutation(
        "acknowledged before the commit",
        "gateway/orders/writer.py",
        "            settlements = self._ledger.write(stream.shard, readable) if readable else []\n",
        "            stream.settle([Settlement(entry.id, len(entry.winners)) for entry in readable])\n"
        "            settlements = self._ledger.write(stream.shard, readable) if readable else []\n",
        WRITER,
    ),
    Mutation(
        "a dead writer's entries are left alone",
        "gateway/orders/writer.py",
        "        if self._take_over_timer.due():",
        "        if False:",
        WRITER,
    ),
    Mutation(
        "the ledger takes entries of another epoch",
        "gateway/orders/ledger.py",
        "    if order.entry.epoch != offer.epoch:\n        return Reason.STALE_EPOCH\n",
        "",
        LEDGER,
    ),
    Mutation(
        "the ledger takes units above the cap",
        "gateway/orders/ledger.py",
        "    if max(order.ticket.units) > offer.unit_cap:\n        return Reason.ABOVE_UNIT_CAP\n",
        "",
        LEDGER,
    ),
    Mutation(
        "the least time to pay is forgotten",
        "gateway/orders/ledger.py",
        "max(ticket.pay_by_ms, now + self._min_pay_window_ms)",
        "ticket.pay_by_ms",
        LEDGER,
    ),
    Mutation(
        "an unknown outcome is told as refused",
        "gateway/admission/batch.py",
        "        if remedy is None:",
        "        if False:",
        FAULTS,
    ),
    Mutation(
        "a timed-out connection is used on",
        "gateway/admission/batch.py",
        '        self._gate.wire.drop("Redis did not answer a batch in time")\n',
        "",
        "tests/gateway/test_faults.py tests/gateway/test_wire.py",
    ),
    Mutation(
        "durability is not asked for",
        "gateway/admission/durability.py",
        "        if found[name] != wanted:",
        "        if False:",
        FAULTS,
    ),
    Mutation(
        "an entry counts once per writer that settles it",
        "lua/settle.lua",
        "  committed = committed + known * entry[2]",
        "  committed = committed + entry[2]",
        "tests/lua/test_lua_settle.py",
    ),
    Mutation(
        "a dead letter is filed as often as it is sent",
        "lua/settle.lua",
        "    if redis.call('SADD', KEYS[4], digest(entry[1], letter)) == 1 then",
        "    if redis.call('SADD', KEYS[4], digest(entry[1], letter)) >= 0 then",
        "tests/lua/test_lua_settle.py",
    ),
    Mutation(
        "an order gives up the units of the shopper's other orders",
        "lua/release.lua",
        "  if order_no == ARGV[1] then",
        "  if order_no then",
        "tests/lua/test_lua_release.py tests/properties",
    ),
    Mutation(
        "a release does not hold the sold-out answer",
        "lua/release.lua",
        "if left == 0 then",
        "if false then",
        "tests/lua/test_lua_release.py",
    ),
    Mutation(
        "a release is believed whatever epoch it was told to",
        "lua/release.lua",
        "if offer[1] ~= ARGV[3] then",
        "if false then",
        "tests/lua/test_lua_release.py",
    ),
    Mutation(
        "a reminder goes out as often as it is sent",
        "lua/remind.lua",
        "  if not redis.call('ZSCORE', KEYS[2], reminder[1]) then",
        "  if true then",
        "tests/lua/test_lua_remind.py",
    ),
    Mutation(
        "an order expires before its time",
        "gateway/orders/expiry.py",
        """text("status = 'pending'"), orders.c.expire_at_ms <= now)""",
        """text("status = 'pending'"))""",
        "tests/gateway/orders/test_expiry.py",
    ),
    Mutation(
        "a release is done before Redis was told",
        "gateway/orders/releases.py",
        "    told = _tell(client, rows, lease_ms)",
        "    told = {row.id: 0 for row in rows}",
        "tests/gateway/orders/test_releases.py tests/gateway/orders/test_expiry.py",
    ),
    Mutation(
        "a change of state looks at no state before",
        "gateway/orders/states.py",
        ".where(orders.c.order_no == order_no, orders.c.status == before)",
        ".where(orders.c.order_no == order_no)",
        "tests/admin/test_admin_order_states.py tests/admin/test_admin_paying.py",
    ),
    Mutation(
        "a payment settles as often as its provider says so",
        "admin/payments/booking.py",
        "    return bool(changed.rowcount)",
        "    return True",
        "tests/admin/test_admin_paying.py tests/admin/test_admin_webhook.py",
    ),
    Mutation(
        "a limit is not looked at when an order takes of it",
        "admin/reservations/several.py",
        "        return (NO_LIMIT if claim.limit is None else claim.limit) - self._used[_key(claim)]",
        "        return NO_LIMIT",
        "tests/admin/test_admin_checkout.py tests/admin/test_admin_checkout_together.py",
    ),
    Mutation(
        "stock is promised that is not there",
        "admin/reservations/ledger.py",
        ".where(products.c.sku == claim.subject, products.c.stock - products.c.reserved >= claim.amount)",
        ".where(products.c.sku == claim.subject)",
        "tests/admin/test_admin_groups.py tests/admin/test_admin_presales.py",
    ),
    Mutation(
        "a seat is taken although there is none",
        "admin/reservations/ledger.py",
        "    WHERE tallies.reserved + tallies.committed + :amount <= :limit",
        "    WHERE 1 = 1",
        "tests/admin/test_admin_groups.py",
    ),
    Mutation(
        "an order that is over keeps what it had reserved",
        "admin/reservations/ledger.py",
        """        if row.kind != "stock":
            _change(connection, row, **{"reserved" if unpaid else "committed": -row.amount})""",
        """        if row.kind == "nothing":
            _change(connection, row, **{"reserved" if unpaid else "committed": -row.amount})""",
        "tests/admin/test_admin_checkout.py tests/admin/test_admin_shop_model.py",
    ),
    Mutation(
        "a cart is ordered in a shop that has changed since it was priced",
        "admin/checkout/batch.py",
        "        if changes.newest_number(connection) != moment.book.number:",
        "        if False:",
        "tests/admin/test_admin_checkout.py tests/admin/test_admin_checkout_together.py",
    ),
    Mutation(
        "a quote is ordered at whatever the cart costs now",
        "admin/checkout/batch.py",
        "    if not same(row.terms, made.result):",
        "    if False:",
        "tests/admin/test_admin_checkout.py",
    ),
    Mutation(
        "a token orders as often as it is sent",
        "admin/checkout/batch.py",
        "        elif row.order_no is not None:",
        "        elif False:",
        "tests/admin/test_admin_checkout.py",
    ),
    Mutation(
        "a group is full one seat early",
        "admin/groups/seats.py",
        "row.committed == row.size:",
        "row.committed == row.size - 1:",
        "tests/admin/test_admin_groups.py",
    ),
    Mutation(
        "a balance may be paid before its time",
        "admin/flows/presale.py",
        "    if now_ms < terms.balance_starts_at_ms:",
        "    if False:",
        "tests/admin/test_admin_presales_balances.py",
    ),
    Mutation(
        "an unpaid cart expires before its time",
        "admin/orders/expiring.py",
        "orders.c.expire_at_ms <= now_ms(connection)",
        "orders.c.expire_at_ms > 0",
        "tests/admin/test_admin_checkout.py",
    ),
    Mutation(
        "a payment gives back more than came through it",
        "admin/payments/refunding.py",
        "row.amount - sent[row.id]",
        "row.amount",
        "tests/admin/test_admin_refund_flows.py",
    ),
    Mutation(
        "stock that was only promised comes back twice",
        "admin/payments/returning.py",
        """elif refund.restock and before in {"paid", "shipped", "completed"}:""",
        "elif refund.restock:",
        "tests/admin/test_admin_refund_flows.py",
    ),
    Mutation(
        "what was paid back before is paid back again",
        "admin/payments/amounts.py",
        "amount = max(0, in_all - paid_back)",
        "amount = max(0, in_all)",
        "tests/admin/test_admin_refund_sums.py tests/admin/test_admin_refund_carts.py",
    ),
    Mutation(
        "a callback's signature is not looked at",
        "admin/payments/providers/signing.py",
        "        if not any(genuine):",
        "        if False:",
        "tests/admin/test_admin_webhook.py",
    ),
    Mutation(
        "an old callback is as good as a new one",
        "admin/payments/providers/signing.py",
        "        if abs(now_s - sent_s) > AGE_MAX_S:",
        "        if False:",
        "tests/admin/test_admin_webhook.py",
    ),
    Mutation(
        "a win is told before the replicas have it",
        "gateway/admission/batch.py",
        """if self._gate.replication.replicas and (b"W" in said.letters or b"A" in said.letters):""",
        "if False:",
        "tests/gateway/test_replicas.py",
    ),
    Mutation(
        "an unknown error of Redis counts as not executed",
        "gateway/admission/verdicts.py",
        "    return _REMEDIES.get(code)",
        "    return _REMEDIES.get(code, Remedy.REFUSE)",
        "tests/gateway/test_redis_errors.py",
    ),
    Mutation(
        "half a cent goes down",
        "admin/promotions/money.py",
        "    return (2 * amount * basis_points + WHOLE) // (2 * WHOLE)",
        "    return (2 * amount * basis_points + WHOLE - 1) // (2 * WHOLE)",
        "tests/promotions/test_money.py",
    ),
    Mutation(
        "what is left over goes to the smallest remainders",
        "admin/promotions/money.py",
        "key=remainders.__getitem__, reverse=True)",
        "key=remainders.__getitem__)",
        "tests/promotions/test_money.py",
    ),
    Mutation(
        "a threshold must be passed, not reached",
        "admin/promotions/types/threshold_reduction.py",
        "reached = sum(spend <= subtotal for spend, _ in steps)",
        "reached = sum(spend < subtotal for spend, _ in steps)",
        "tests/promotions/test_type_threshold_reduction.py",
    ),
    Mutation(
        "a campaign gives what is left of it",
        "admin/promotions/pricing.py",
        "        return _exceeds(left, joined, added.reductions.get(joined.campaign.code, 0))",
        "        return False",
        "tests/promotions/test_engine_limits.py",
    ),
    Mutation(
        "coupons reach what a campaign keeps them from",
        "admin/promotions/couponing.py",
        "if each.effect.reached and not each.campaign.coupons_allowed:",
        "if False:",
        "tests/promotions/test_engine_coupons.py",
    ),
    Mutation(
        "an excluded product joins",
        "admin/promotions/choosing.py",
        "        if campaign.exclude and place.sku in campaign.exclude:",
        "        if False:",
        "tests/promotions/test_engine_choices.py",
    ),
    Mutation(
        "an audience is not looked at",
        "admin/promotions/choosing.py",
        "or refuses(\n            campaign.audience, self._world.shopper, self._world.today\n        )",
        "or None",
        PRICES,
    ),
    Mutation(
        "priorities the wrong way round",
        "admin/promotions/campaign.py",
        '"rank": (-_whole(body.get("priority")), -starts_at_ms, code),',
        '"rank": (_whole(body.get("priority")), -starts_at_ms, code),',
        "tests/promotions/test_index.py tests/promotions/test_engine_choices.py",
    ),
    Mutation(
        "a quote does not see what changed since the last",
        "admin/quotes/quoting.py",
        "        if seen.number > book.number:",
        "        if False:",
        "tests/admin/test_admin_quotes.py",
    ),
    Mutation(
        "a change of a campaign takes no number",
        "admin/campaigns/recording.py",
        '    changes.note(connection, "campaign", code, for_prices(stored))',
        "    for_prices(stored)",
        "tests/admin/test_admin_quotes.py",
    ),
)
