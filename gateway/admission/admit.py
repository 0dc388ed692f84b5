"""The call of `admit.lua`: a batch of clicks in, a decision for each out. No I/O here, only the encoding."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import msgpack

from gateway import keys, scripts
from gateway.admission.outcome import LETTERS, WITH_DETAIL, Outcome
from gateway.errors import ScriptContractError
from gateway.resp import pack
from gateway.settings import Rate

ORDER_NO_BYTES = 10
"""Random bytes of an order number: 80 bits cannot be guessed or counted, nor do they collide."""

_LETTERS = {ord(letter): (outcome, letter in WITH_DETAIL) for letter, outcome in LETTERS.items()}
_packer = msgpack.Packer(use_bin_type=False)
# A named tuple's own constructor is a Python function, ten times slower than the tuple's.
_decision = tuple.__new__


class Decision(NamedTuple):
    """What answers one click. `detail` depends on the outcome: a ticket, units left, units held, ms to wait."""

    outcome: Outcome
    detail: Any = None


class Decided(NamedTuple):
    """A decided batch. `lease_ms`: how long a refusal may be repeated, counted from before the call."""

    now_ms: int
    sequence: int
    left: int
    lease_ms: int
    letters: bytes
    decisions: list[Decision]


class Whole(NamedTuple):
    """A batch refused as a whole, with the script's word."""

    word: str
    now_ms: int


class AdmitCall:
    """The part of the command that is the same for every batch of one offer bucket at one version."""

    __slots__ = ("_head", "_tail")

    def __init__(
        self, offer: str, *, bucket: int, version: int, epoch: int, run_id: str, rate: Rate, lease_ms: int
    ) -> None:
        script = scripts.load("admit")
        shard = keys.shard_of(offer, bucket)
        named = {
            "offer": keys.offer(offer, bucket),
            "buyers": keys.buyers(offer, epoch, bucket),
            "freed": keys.freed(offer, epoch, bucket),
            "even": keys.rate(offer, 0, bucket),
            "odd": keys.rate(offer, 1, bucket),
            "stream": keys.stream(shard),
            "counters": keys.counters(shard),
        }
        parts = 3 + len(script.keys) + len(script.args)
        head = pack("EVALSHA", script.sha, len(named), *(named[key] for key in script.keys), run_id, version, epoch)
        self._head = b"*%d%b" % (parts, head[head.index(b"\r\n") :])
        tail = pack(rate.count, rate.window_ms, lease_ms)
        self._tail = tail[tail.index(b"\r\n") + 2 :]

    def encode(
        self,
        deadline_ms: int,
        shoppers: tuple[bytes, ...],
        quantities: tuple[int, ...] | int = 0,
        keys_of_clicks: tuple[bytes, ...] | int = 0,
        eligible: bytes | int = 0,
    ) -> bytes:
        """The whole command for one batch; 0 stands for "all one", "no keys", "all eligible"."""
        digits = os.urandom(ORDER_NO_BYTES * len(shoppers)).hex()
        step = 2 * ORDER_NO_BYTES
        order_numbers = [digits[start : start + step] for start in range(0, len(digits), step)]
        clicks = _packer.pack((shoppers, order_numbers, quantities, keys_of_clicks, eligible))
        deadline = b"%d" % deadline_ms
        return b"%b$%d\r\n%b\r\n%b$%d\r\n%b\r\n" % (
            self._head,
            len(deadline),
            deadline,
            self._tail,
            len(clicks),
            clicks,
        )


def decode(reply: Any) -> Decided | Whole:
    """Read the script's reply.

    Raises:
        ScriptContractError: it does not have the form that the script's header promises.
    """
    try:
        word = reply[0]
        if word != b"DECIDED":
            return Whole(word.decode(), reply[1])
        _, now_ms, sequence, left, lease_ms, letters, *details = reply
        following = iter(details)
        decisions = []
        for letter in letters:
            outcome, with_detail = _LETTERS[letter]
            decisions.append(_decision(Decision, (outcome, next(following) if with_detail else None)))
    except (LookupError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise ScriptContractError(f"admit answered {reply!r:.200}") from error
    return Decided(now_ms, sequence, left, lease_ms, letters, decisions)
