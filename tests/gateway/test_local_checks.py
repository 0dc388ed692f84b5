"""Given addresses, audiences and receipts, what needs no Redis is judged right."""

from __future__ import annotations

import ipaddress
import string
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway import addresses
from gateway.addresses import ClientAddress
from gateway.admission import rates as rates_module
from gateway.admission.audience import judge_of
from gateway.admission.rates import LocalLimits, WindowLimit
from gateway.errors import ReceiptError
from gateway.receipts import ReceiptSigner
from gateway.settings import Rate
from gateway.times import iso
from gateway.tokens import Shopper, mint

TAIPEI = ZoneInfo("Asia/Taipei")
PROXIES = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8"))


# Addresses.


@pytest.mark.parametrize(
    ("peer", "forwarded", "key"),
    [
        ("1.2.3.4", None, "1.2.3.4"),
        # Nobody is believed who is not a trusted proxy.
        ("1.2.3.4", "9.9.9.9", "1.2.3.4"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "9.9.9.9", "9.9.9.9"),
        # The rightmost hop that is no proxy; what stands left of it may be made up.
        ("10.0.0.1", "6.6.6.6, 9.9.9.9", "9.9.9.9"),
        ("10.0.0.1", "6.6.6.6,9.9.9.9 , 10.1.1.1,10.2.2.2", "9.9.9.9"),
        ("10.0.0.1", "10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("10.0.0.1", "9.9.9.9, nonsense", "unknown"),
        ("10.0.0.1", "", "unknown"),
        ("10.0.0.1", "\xff\xfe", "unknown"),
        ("fd00::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", None, "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", None, "2001:db8:1:3::/64"),
        ("::ffff:1.2.3.4", None, "1.2.3.4"),
        ("::ffff:10.0.0.1", "9.9.9.9", "9.9.9.9"),
        ("fe80::1%eth0", None, "fe80::/64"),
        ("", "9.9.9.9", "unknown"),
        ("unix:", None, "unknown"),
    ],
)
def test_who_is_calling(peer: str, forwarded: str | None, key: str) -> None:
    address = ClientAddress(PROXIES)
    for _ in range(2):
        assert address.key(peer, forwarded) == key


def test_without_trusted_proxies_the_header_is_nothing() -> None:
    assert ClientAddress(()).key("10.0.0.1", "9.9.9.9") == "10.0.0.1"


def test_a_window_counts_by_key_and_begins_anew() -> None:
    limit = WindowLimit(Rate(2, 1000))
    assert [limit.wait_ms("a", 100.0) for _ in range(3)] == [0, 0, 1000]
    assert limit.wait_ms("b", 100.5) == 0
    assert limit.wait_ms("a", 100.75) == 250
    assert limit.wait_ms("a", 100.9999) == 1
    assert limit.wait_ms("a", 101.0) == 0


def test_addresses_are_counted_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rates_module, addresses):
        monkeypatch.setattr(module, "ADDRESSES_MAX", 10)
    limit = WindowLimit(Rate(2, 1000))
    waits = [limit.wait_ms(f"a{number}", 100.0) for number in range(20)]
    assert len(limit._counts) <= 11
    # The first ten are counted apart, all others together.
    assert waits == [0] * 12 + [1000] * 8
    address = ClientAddress(PROXIES)
    for number in range(50):
        address.key(f"1.2.3.{number}", None)
        assert len(address._cache) <= 10


def test_both_local_limits() -> None:
    assert not LocalLimits(Rate(0, 1000), Rate(0, 1000), ()).active
    only_total = LocalLimits(Rate(0, 1000), Rate(3, 60_000), ())
    waits = [only_total.wait_ms(f"1.2.3.{number}:4711", None) for number in range(4)]
    assert waits[:3] == [0, 0, 0]
    assert 59_000 < waits[3] <= 60_000
    both = LocalLimits(Rate(1, 60_000), Rate(2, 60_000), ())
    peers = ("1.1.1.1:1", "1.1.1.1:2", "[2::2]:3", "3.3.3.3:4")
    assert [bool(both.wait_ms(peer, None)) for peer in peers] == [False, True, False, True]


# Audiences.


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=TAIPEI).timestamp() * 1000)


def shopper(**facts: Any) -> Shopper:
    amy = Shopper(b"amy", 10**10)
    for name, value in facts.items():
        setattr(amy, name, value)
    return amy


def may_buy(audience: dict[str, Any], when: str = "2026-11-21T12:00", **facts: Any) -> bool:
    judge = judge_of({"kind": "members"} | audience, TAIPEI)
    assert judge is not None
    return judge(shopper(**facts), at(when))


def test_everyone_is_not_judged() -> None:
    assert judge_of({}, TAIPEI) is None
    assert judge_of({"kind": "everyone"}, TAIPEI) is None


def test_members_have_a_level_or_a_member_date() -> None:
    assert not may_buy({})
    assert may_buy({}, level=1)
    assert may_buy({}, since_s=1)


def test_levels() -> None:
    assert may_buy({"levels": [1, 2]}, level=2)
    assert not may_buy({"levels": [1, 2]}, level=3)
    assert not may_buy({"levels": [1, 2]})
    assert may_buy({"levels": [0]})


def test_member_days_are_civil_days_in_the_shops_zone() -> None:
    # Joined on the 20th at 23:59 in Taipei, when it was still the afternoon in UTC.
    since_s = at("2026-11-20T23:59") // 1000
    assert may_buy({"member_days": 1}, "2026-11-21T00:00", since_s=since_s)
    assert not may_buy({"member_days": 1}, "2026-11-20T23:59", since_s=since_s)
    assert not may_buy({"member_days": 2}, "2026-11-21T23:59", since_s=since_s)
    assert may_buy({"member_days": 0}, "2026-11-20T23:59", since_s=since_s)
    assert not may_buy({"member_days": 0}, level=5)


@pytest.mark.parametrize(
    ("born", "when", "celebrates"),
    [
        ("11-21", "2026-11-21T00:00", True),
        ("11-21", "2026-11-21T23:59", True),
        ("11-21", "2026-11-22T00:00", False),
        ("11-21", "2026-11-20T23:59", False),
        ("02-29", "2028-02-29T12:00", True),
        ("02-29", "2028-02-28T12:00", False),
        ("02-29", "2026-02-28T12:00", True),
        ("02-29", "2026-03-01T12:00", False),
        ("02-29", "2100-02-28T12:00", True),
        ("02-29", "2000-02-29T12:00", True),
        ("02-28", "2028-02-28T12:00", True),
        (None, "2026-11-21T12:00", False),
    ],
)
def test_birthdays(born: str | None, when: str, celebrates: bool) -> None:
    assert may_buy({"birthday": "day"}, when, birthday=born) is celebrates


@pytest.mark.parametrize(
    ("born", "when", "celebrates"),
    [
        ("02-29", "2026-02-01T00:00", True),
        ("02-29", "2026-03-01T00:00", False),
        ("11-30", "2026-11-01T00:00", True),
        ("11-30", "2026-10-31T23:59", False),
        (None, "2026-11-21T12:00", False),
    ],
)
def test_birthday_months(born: str | None, when: str, celebrates: bool) -> None:
    assert may_buy({"birthday": "month"}, when, birthday=born) is celebrates


def test_all_conditions_hold_together() -> None:
    audience = {"levels": [2], "member_days": 1, "birthday": "month"}
    facts = {"level": 2, "since_s": 1, "birthday": "11-05"}
    assert may_buy(audience, **facts)
    for name in facts:
        assert not may_buy(audience, **{fact: value for fact, value in facts.items() if fact != name})


# Receipts.

OLD, NEW = b"o" * 32, b"n" * 32
URL_SAFE = string.ascii_letters + string.digits + "-_"


def sign(signer: ReceiptSigner, *, shopper: bytes = b'"amy"', units: bytes = b"1,2") -> str:
    terms = b'"price":9900,"currency":"TWD","pay_by_ms":2,"won_at_ms":1'
    return signer.sign(b"noon-kettle", shopper, b"abc", units, terms).decode()


def test_a_receipt_says_what_was_signed() -> None:
    signer = ReceiptSigner((OLD,))
    assert signer.verify(sign(signer, shopper='"王\\"小"'.encode())) == {
        "offer": "noon-kettle",
        "shopper": '王"小',
        "order_no": "abc",
        "units": [1, 2],
        "price": 9900,
        "currency": "TWD",
        "pay_by_ms": 2,
        "won_at_ms": 1,
    }


def test_equal_tickets_have_equal_receipts() -> None:
    assert sign(ReceiptSigner((OLD,))) == sign(ReceiptSigner((OLD,)))
    assert sign(ReceiptSigner((OLD,))) != sign(ReceiptSigner((OLD,)), units=b"1,3")


def test_while_a_secret_is_rotated_both_receipts_are_genuine() -> None:
    both = ReceiptSigner((NEW, OLD))
    assert both.verify(sign(ReceiptSigner((OLD,))))
    assert sign(both) == sign(ReceiptSigner((NEW,)))
    with pytest.raises(ReceiptError):
        ReceiptSigner((NEW,)).verify(sign(ReceiptSigner((OLD,))))


def test_a_receipt_changed_anywhere_is_refused() -> None:
    signer = ReceiptSigner((OLD,))
    receipt = sign(signer)
    for index in range(len(receipt)):
        changed = receipt[:index] + ("A" if receipt[index] != "A" else "B") + receipt[index + 1 :]
        with pytest.raises(ReceiptError):
            signer.verify(changed)


def test_a_receipt_has_one_text() -> None:
    # The bits of the last character that stand for nothing are not free to choose.
    signer = ReceiptSigner((OLD,))
    for units in (b"1", b"12", b"123"):
        receipt = sign(signer, units=units)
        others = [receipt[:-1] + last for last in URL_SAFE if last != receipt[-1]]
        assert signer.verify(receipt)
        for other in others:
            with pytest.raises(ReceiptError):
                signer.verify(other)


@pytest.mark.parametrize("text", ["", ".", "..", "a.b.c", "\u738b", "x" * 70_000, "\x00"])
def test_what_is_no_receipt_is_refused(text: str) -> None:
    with pytest.raises(ReceiptError):
        ReceiptSigner((OLD,)).verify(text)


def test_a_shopper_token_is_no_receipt_whatever_its_secret() -> None:
    with pytest.raises(ReceiptError):
        ReceiptSigner((OLD,)).verify(mint(OLD, "amy", ttl_s=60))


def test_instants_are_shown_in_the_shops_zone_to_the_millisecond() -> None:
    assert iso(at("2026-11-21T12:00") + 5, TAIPEI) == "2026-11-21T12:00:00.005+08:00"
