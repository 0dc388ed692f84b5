"""From a click to an order in the ledger, and back on sale."""

from __future__ import annotations

from tests.mutants.mutation import Mutation

LUA = "tests/lua tests/properties"
SHIELD = "tests/gateway/test_shield.py tests/gateway/test_workers.py"
FAULTS = "tests/gateway/test_faults.py"
LEDGER = "tests/gateway/orders/test_orders_ledger.py"
WRITER = "tests/gateway/orders/test_order_writer.py tests/gateway/orders/test_order_writer_killed.py"

MUTATIONS = (
    Mutation(
        "dedupe removed",
        "lua/admit.lua",
        "local record = records[place]",
        "local record = place < index and records[place] or nil",
        LUA,
    ),
    Mutation(
        "a shopper twice in one batch is not seen",
        "lua/admit.lua",
        "    first[shopper] = index\n",
        "",
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
        "if known then",
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
        "gateway/admission/winners.py",
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
        '        flight.primary.wire.drop("Redis did not answer a batch in time")\n',
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
)
