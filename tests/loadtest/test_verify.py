"""Given a sale with one thing wrong, when it is verified from the outside, then that one thing is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest

from loadtest import verify
from loadtest.checks import CHECKS
from loadtest.ledger import Ledger, LedgerWriter, Operation, Reply, Ticket

KEY = "k" * 40
START_MS = 1_700_000_000_000
END_MS = START_MS + 600_000
OFFER = "noon-kettle"
LIMITED = "duo-lamp"


class Sale:
    """A sale as the back office would tell it, two orders a page, and the ledger that its clients kept."""

    def __init__(self) -> None:
        self.stock = {OFFER: 3, LIMITED: 10}
        self.orders = [
            order("A1", OFFER, "ann", [1]),
            order("A2", OFFER, "bob", [2]),
            order("A3", OFFER, "cy", [3]),
            order("B1", LIMITED, "ann", [1]),
            order("B2", LIMITED, "ann", [2]),
        ]
        self.left = {OFFER: 0, LIMITED: 8}
        self.replies = [
            heard("ann", "won", 201, at=10, won=("A1", 1)),
            heard("bob", "won", 201, at=20, won=("A2", 2)),
            heard("ann", "already_won", 200, at=30, won=("A1", 1)),
            heard("cy", "lost", 0, at=40),
            heard("dan", "sold_out", 409, at=50, left=0),
            replace(heard("cy", "won", 200, at=1500, won=("A3", 3)), kind="mine"),
            replace(heard("dan", "none", 200, at=1600), kind="mine"),
            heard("ann", "won", 201, at=60, won=("B1", 1), offer=LIMITED, key="k1"),
            heard("ann", "already_won", 200, at=70, won=("B1", 1), offer=LIMITED, key="k1"),
            heard("ann", "won", 201, at=80, won=("B2", 2), offer=LIMITED, key="k2"),
            heard("ann", "limit_reached", 409, at=90, offer=LIMITED, key="k3"),
        ]
        self.operations = [Operation(OFFER, "created", START_MS - 5000, 3)]
        self.redis_answers = True
        self.unwritten: dict[str, int] = {}  # order number → listings in which it is still missing

    def answer(self, path: str, query: dict[str, list[str]]) -> Any:
        if path == "/admin/api/campaigns":
            return {"items": [{"code": code, "type": "seckill"} for code in CAMPAIGNS], "next": None}
        if path.startswith("/admin/api/campaigns/") and not path.endswith("/report"):
            return CAMPAIGNS[path.rpartition("/")[2]]
        if path == "/admin/api/orders":
            found = [each for each in self.orders if each["offer"] == query["offer"][0]]
            found = [each for each in found if self.unwritten.get(each["order_no"], 0) == 0]
            for number in self.unwritten:
                self.unwritten[number] = max(0, self.unwritten[number] - 1)
            first = int(query.get("cursor", ["0"])[0])
            more = first + 2 < len(found)
            return {"items": found[first : first + 2], "next": str(first + 2) if more else None}
        code = path.split("/")[-2]
        offer = OFFER if code == "noon" else LIMITED
        line = {"offer": offer, "stock": self.stock[offer], "left": self.left[offer]}
        return {"live": self.redis_answers, "offers": [line]}


def order(number: str, offer: str, shopper: str, units: list[int]) -> dict[str, Any]:
    return {
        "order_no": number,
        "offer": offer,
        "shopper": shopper,
        "units": units,
        "units_released": [],
        "price": 9900,
        "status": "pending",
    }


def campaign(code: str, sku: str, limit: int) -> dict[str, Any]:
    return {
        "code": code,
        "type": "seckill",
        "starts_at": "2023-11-14T22:13:20+00:00",
        "ends_at": "2023-11-14T22:23:20+00:00",
        "rule": {"limit_per_shopper": limit},
        "items": [{"sku": sku}],
    }


CAMPAIGNS = {"noon": campaign("noon", "kettle", 1), "duo": campaign("duo", "lamp", 2)}


def heard(
    shopper: str,
    outcome: str,
    status: int,
    *,
    at: int,
    won: tuple[str, int] | None = None,
    left: int | None = None,
    offer: str = OFFER,
    key: str = "",
) -> Reply:
    tickets = (Ticket(won[0], (won[1],), 9900),) if won else ()
    sent_ms = START_MS + at
    return Reply("click", offer, shopper, outcome, status, sent_ms, sent_ms + 5, tickets, left, key)


@pytest.fixture
def sale() -> Sale:
    return Sale()


@pytest.fixture
def url(sale: Sale) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parsed = urlparse(self.path)
            allowed = self.headers["Authorization"] == f"Bearer {KEY}"
            body = json.dumps(sale.answer(parsed.path, parse_qs(parsed.query)) if allowed else {}).encode()
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def run(sale: Sale, url: str, folder: Path, key: str = KEY) -> int:
    writer = LedgerWriter(folder / "ledger.jsonl")
    for entry in [*sale.replies, *sale.operations]:
        writer.record(entry)
    writer.close()
    return verify.main(["--ledger", str(folder), "--admin", url, "--drain-s", "0.1"], {"SECKILL_ADMIN_KEY": key})


def broken(output: str) -> list[str]:
    """The promises that the printed table calls broken."""
    cells = ([cell.strip() for cell in line.split("│")] for line in output.splitlines() if "│" in line)
    return [row[1] for row in cells if len(row) > 2 and row[2] == "NO"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "250")


def test_an_honest_sale_passes(sale: Sale, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(sale, url, tmp_path) == 0
    output = capsys.readouterr().out
    assert broken(output) == []
    assert all(name in output for name in CHECKS)


UNITS, LIMIT, WIN, ORDER, AGAIN, SOLD, WINDOW, TABLE, ASK, BOOKS = CHECKS


def sold_twice(sale: Sale) -> None:
    sale.orders[1]["units"] = [1]
    sale.replies[1] = heard("bob", "won", 201, at=20, won=("A2", 1))


def above_the_cap(sale: Sale) -> None:
    sale.orders[2]["units"] = [7]
    sale.replies[5] = replace(sale.replies[5], tickets=(Ticket("A3", (7,), 9900),))


def more_held_than_stock(sale: Sale) -> None:
    sale.orders.append(order("A4", OFFER, "eve", [4]))
    sale.replies.append(heard("eve", "won", 201, at=45, won=("A4", 4)))
    sale.left[OFFER] = -1


def skipped_unit(sale: Sale) -> None:
    sale.orders[4]["units"] = [3]
    sale.replies[9] = heard("ann", "won", 201, at=80, won=("B2", 3), offer=LIMITED, key="k2")


def over_the_limit(sale: Sale) -> None:
    sale.orders.append(order("B3", LIMITED, "ann", [3]))
    sale.replies.append(heard("ann", "won", 201, at=85, won=("B3", 3), offer=LIMITED, key="k4"))
    sale.left[LIMITED] = 7


def win_without_order(sale: Sale) -> None:
    sale.replies.append(heard("gil", "won", 201, at=15, won=("A9", 1)))


def win_with_two_orders(sale: Sale) -> None:
    sale.orders.append({**sale.orders[0], "units": []})


def other_price(sale: Sale) -> None:
    sale.orders[0]["price"] = 9901


def somebody_elses_order(sale: Sale) -> None:
    sale.orders[0]["shopper"] = "bob"
    sale.orders[1]["shopper"] = "ann"


def order_of_nobody(sale: Sale) -> None:
    sale.replies = [each for each in sale.replies if each.shopper != "bob"]


def winner_hears_sold_out(sale: Sale) -> None:
    sale.replies.append(heard("bob", "sold_out", 409, at=100, left=0))


def another_ticket_for_the_same_key(sale: Sale) -> None:
    sale.replies[8] = heard("ann", "already_won", 200, at=95, won=("B2", 2), offer=LIMITED, key="k1")


def sent_away_with_stock_left(sale: Sale) -> None:
    sale.stock[OFFER] = 5
    sale.left[OFFER] = 2
    sale.operations = [Operation(OFFER, "created", START_MS - 5000, 5)]


def won_too_early(sale: Sale) -> None:
    sale.replies[0] = heard("ann", "won", 201, at=-900, won=("A1", 1))


def won_too_late(sale: Sale) -> None:
    late = END_MS - START_MS + 900
    sale.replies[1] = heard("bob", "won", 201, at=late, won=("A2", 2))


def won_after_terminate(sale: Sale) -> None:
    sale.operations.append(Operation(OFFER, "terminated", START_MS + 15))
    sale.replies[1] = heard("bob", "won", 201, at=1200, won=("A2", 2))


def opened_late(sale: Sale) -> None:
    sale.replies.append(heard("fay", "not_started", 403, at=900))


def ended_early(sale: Sale) -> None:
    sale.replies.append(heard("fay", "ended", 410, at=900))


def server_error(sale: Sale) -> None:
    sale.replies.append(heard("fay", "status_500", 500, at=900))


def wrong_status(sale: Sale) -> None:
    sale.replies.append(heard("fay", "busy", 200, at=900))


def told_none_with_an_order(sale: Sale) -> None:
    sale.replies[5] = replace(heard("cy", "none", 200, at=1500), kind="mine")


def redis_gave_out_more(sale: Sale) -> None:
    sale.left[LIMITED] = 7


@pytest.mark.parametrize(
    ("spoil", "promises"),
    [
        (sold_twice, {UNITS}),
        (above_the_cap, {UNITS}),
        (more_held_than_stock, {UNITS}),
        (skipped_unit, {UNITS}),
        (over_the_limit, {LIMIT}),
        (win_without_order, {WIN}),
        (win_with_two_orders, {WIN}),
        (other_price, {WIN}),
        (somebody_elses_order, {WIN}),
        (order_of_nobody, {ORDER}),
        (winner_hears_sold_out, {AGAIN}),
        (another_ticket_for_the_same_key, {AGAIN}),
        (sent_away_with_stock_left, {SOLD}),
        (won_too_early, {WINDOW}),
        (won_too_late, {WINDOW}),
        (won_after_terminate, {WINDOW}),
        (opened_late, {WINDOW}),
        (ended_early, {WINDOW}),
        (server_error, {TABLE}),
        (wrong_status, {TABLE}),
        (told_none_with_an_order, {ASK}),
        (redis_gave_out_more, {BOOKS}),
    ],
)
def test_one_breach_is_found_and_named(
    spoil: Callable[[Sale], None],
    promises: set[str],
    *,
    sale: Sale,
    url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(sale)
    assert run(sale, url, tmp_path) == 1
    assert set(broken(capsys.readouterr().out)) == promises


def test_a_refusal_before_a_top_up_is_no_breach(sale: Sale, url: str, tmp_path: Path) -> None:
    sent_away_with_stock_left(sale)
    created = Operation(OFFER, "created", START_MS - 5000, 3)
    sale.operations = [created, Operation(OFFER, "stock", START_MS + 200, 5)]
    assert run(sale, url, tmp_path) == 0


def test_a_unit_that_came_back_is_no_breach(sale: Sale, url: str, tmp_path: Path) -> None:
    sale.orders[1] |= {"units": [], "units_released": [2], "status": "expired"}
    sale.left[OFFER] = 1
    sale.replies.append(heard("bob", "sold_out", 409, at=100, left=0))
    assert run(sale, url, tmp_path) == 0


def test_it_waits_for_the_writer(sale: Sale, url: str, tmp_path: Path) -> None:
    sale.unwritten = {"B2": 1}
    writer = LedgerWriter(tmp_path / "ledger.jsonl")
    for entry in sale.replies:
        writer.record(entry)
    writer.close()
    arguments = ["--ledger", str(tmp_path), "--admin", url]
    assert verify.main([*arguments, "--drain-s", "10"], {"SECKILL_ADMIN_KEY": KEY}) == 0
    sale.unwritten = {"B2": 1000}
    assert verify.main([*arguments, "--drain-s", "0.1"], {"SECKILL_ADMIN_KEY": KEY}) == 1


def test_a_report_without_redis_proves_nothing(sale: Sale, url: str, tmp_path: Path) -> None:
    sale.redis_answers = False
    assert run(sale, url, tmp_path) == 2


def test_without_a_view_it_says_so(sale: Sale, url: str, tmp_path: Path) -> None:
    assert verify.main(["--ledger", str(tmp_path), "--admin", url], {}) == 2
    assert verify.main(["--ledger", str(tmp_path), "--admin", url], {"SECKILL_ADMIN_KEY": KEY}) == 2
    assert run(sale, url, tmp_path, key="wrong") == 2
    (tmp_path / "ledger.jsonl").write_text('{"kind": "click"}\n')
    assert verify.main(["--ledger", str(tmp_path), "--admin", url], {"SECKILL_ADMIN_KEY": KEY}) == 2


def test_an_empty_ledger_proves_nothing(sale: Sale, url: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.jsonl").write_text("")
    assert verify.main(["--ledger", str(tmp_path), "--admin", url], {"SECKILL_ADMIN_KEY": KEY}) == 1


def test_a_ledger_survives_its_file(tmp_path: Path) -> None:
    sale = Sale()
    writer = LedgerWriter(tmp_path / "a.jsonl")
    for entry in [*sale.replies, *sale.operations]:
        writer.record(entry)
    writer.close()
    assert verify.ledger.read([tmp_path]) == Ledger(tuple(sale.replies), tuple(sale.operations))
