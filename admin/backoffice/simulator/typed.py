"""What somebody typed into the simulator. All of it is in the page's address, so that a link says it to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.datastructures import QueryParams

from admin.errors import FieldError, Invalid
from admin.pages.locales import gettext

NONE = "-"
"""In place of a campaign: the line joins none. In place of gifts: they are declined."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it was typed. `campaign` is empty for the default."""

    sku: str
    quantity: str = "1"
    campaign: str = ""
    selected: bool = True


@dataclass(frozen=True, slots=True)
class AddOn:
    """An add-on as it was typed."""

    campaign: str
    sku: str
    quantity: str = "1"


@dataclass(frozen=True, slots=True)
class Typed:
    """Everything that was typed, as texts."""

    who: str = "guest"
    sub: str = ""
    level: str = ""
    since: str = ""
    birthday: str = ""
    new_customer: bool = False
    at: str = ""
    channel: str = "web"
    store: str = ""
    coupon: str = ""
    strategy: str = "priority"
    lines: Sequence[Line] = ()
    add_ons: Sequence[AddOn] = ()
    gifts: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, query: QueryParams) -> Typed:
        """What an address says; a button that adds or takes away a line is done with it."""
        texts = {name: query[name].strip() for name in _TEXTS if name in query}
        off = set(query.getlist("off"))
        columns = [query.getlist(name) for name in ("sku", "quantity", "campaign")]
        lines = [
            Line(sku, quantity, campaign, f"{place}" not in off)
            for place, (sku, quantity, campaign) in enumerate(zip(*columns, strict=False))
            if quantity.strip() != "0" and query.get("remove") != f"{place}"
        ]
        added = query.get("add", "").strip()
        if added and added not in {line.sku for line in lines}:
            lines.append(Line(added))
        offered = [query.getlist(name) for name in ("extra_campaign", "extra_sku", "extra_quantity")]
        given = zip(query.getlist("gift_campaign"), query.getlist("gift"), strict=False)
        return cls(
            **texts,
            new_customer="new_customer" in query,
            lines=lines,
            add_ons=[AddOn(*each) for each in zip(*offered, strict=False) if each[2].strip() not in {"", "0"}],
            gifts={campaign: skus.strip() for campaign, skus in given if skus.strip()},
        )

    def with_choice(self, choices: dict[int, str | None]) -> Typed:
        """The same with other campaigns on some lines, by their numbers."""
        lines = [
            replace(line, campaign=choices[place] or NONE) if place in choices else line
            for place, line in enumerate(self.lines, 1)
        ]
        return replace(self, lines=lines)

    def address(self) -> str:
        """The query that says the same."""
        pairs = [(name, getattr(self, name)) for name in _TEXTS if getattr(self, name)]
        pairs += [("new_customer", "1")] if self.new_customer else []
        for place, line in enumerate(self.lines):
            pairs += [("sku", line.sku), ("quantity", line.quantity), ("campaign", line.campaign)]
            pairs += [] if line.selected else [("off", str(place))]
        for each in self.add_ons:
            pairs += [("extra_campaign", each.campaign), ("extra_sku", each.sku), ("extra_quantity", each.quantity)]
        for campaign, skus in self.gifts.items():
            pairs += [("gift_campaign", campaign), ("gift", skus)]
        return urlencode(pairs)

    def body(self, zone: ZoneInfo) -> dict[str, Any]:
        """The body of the quote.

        Raises:
            Invalid: a number or a time is none.
        """
        wrong: list[FieldError] = []
        body: dict[str, Any] = {
            "lines": [_line(place, line, wrong) for place, line in enumerate(self.lines)],
            "add_ons": [
                {
                    "campaign": each.campaign,
                    "sku": each.sku,
                    "quantity": _whole(each.quantity, f"add_ons.{place}", wrong),
                }
                for place, each in enumerate(self.add_ons)
            ],
            "gifts": {
                code: [] if skus == NONE else skus.replace(",", " ").split() for code, skus in self.gifts.items()
            },
            "channel": self.channel,
            "strategy": self.strategy,
            "suggest": True,
            "explain": True,
        }
        body |= {"coupon": self.coupon} if self.coupon else {}
        body |= {"store": self.store} if self.store and self.channel == "store" else {}
        body |= {"at": _instant(self.at, "at", zone, wrong)} if self.at else {}
        shopper = self._shopper(zone, wrong)
        body |= {"shopper": shopper} if shopper is not None else {}
        if wrong:
            raise Invalid(wrong)
        return body

    def _shopper(self, zone: ZoneInfo, wrong: list[FieldError]) -> dict[str, Any] | None:
        if self.who == "member":
            return {"sub": self.sub}
        if self.who != "somebody":
            return None
        shopper: dict[str, Any] = {"new_customer": self.new_customer}
        shopper |= {"level": _whole(self.level, "level", wrong)} if self.level else {}
        shopper |= {"since": _instant(self.since, "since", zone, wrong)} if self.since else {}
        shopper |= {"birthday": self.birthday} if self.birthday else {}
        return shopper


_TEXTS = ("who", "sub", "level", "since", "birthday", "at", "channel", "store", "coupon", "strategy")


def _line(place: int, line: Line, wrong: list[FieldError]) -> dict[str, Any]:
    body: dict[str, Any] = {"sku": line.sku, "quantity": _whole(line.quantity, f"lines.{place}.quantity", wrong)}
    body |= {"campaign": None if line.campaign == NONE else line.campaign} if line.campaign else {}
    return body | ({} if line.selected else {"selected": False})


def _whole(text: str, path: str, wrong: list[FieldError]) -> int:
    if text.strip().isascii() and text.strip().isdigit() and len(text) < 10:
        return int(text)
    wrong.append(FieldError(path, "bad_number", gettext("Type a whole number.")))
    return 1


def _instant(text: str, path: str, zone: ZoneInfo, wrong: list[FieldError]) -> str:
    """A time as a browser's field has it, which is one in the shop's zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong.append(FieldError(path, "bad_instant", gettext("Type a date and a time, such as 2026-11-21T12:00.")))
        return text
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).isoformat()
