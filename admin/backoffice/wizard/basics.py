"""The step about everything but the rule and the products: name, time, audience, place, priority, limits."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request

from admin.backoffice.wizard import typed as reading
from admin.backoffice.wizard.neighbours import neighbours
from admin.backoffice.wizard.saving import Errors
from admin.backoffice.wizard.spelling import CHANNELS, LANGUAGES
from admin.campaigns.models import Campaign
from admin.pages.asking import ask_all
from admin.pages.locales import gettext
from admin.promotions import registry

SESSIONS_MAX = 500
CODE_MAX = 40
TEXTS = ("name", "slogan", "label")
LIMITS = ("per_shopper", "total", "budget")

_FOLDED = frozenset({"priority", "coupons_allowed", "label", "texts"})

Values = dict[str, Any]


async def context(request: Request, campaign: Campaign, typed: FormData | None, errors: Errors) -> dict[str, Any]:
    """What the template of the step needs."""
    promotion = registry.available()[campaign.type]
    sessions = await ask_all(request, "list_sessions", most=SESSIONS_MAX) if promotion.sold_by_gateway else []
    return {
        "values": shown(request, campaign) if typed is None else _as_typed(typed),
        "sessions": sessions,
        "in_sessions": promotion.sold_by_gateway,
        "counts_units": promotion.counts_units,
        "channels": CHANNELS,
        "text_languages": LANGUAGES,
        "neighbours": await neighbours(request, campaign),
        "made_code": is_made(campaign),
        "folded_wrong": any(name.split(".")[0] in _FOLDED for name in errors),
    }


def shown(request: Request, campaign: Campaign) -> Values:
    """A campaign as the form shows it."""
    resources = request.state.resources
    audience, limits = campaign.audience, campaign.limits or {}
    session = campaign.rule.get("session") or {}
    starts_at, ends_at = campaign.starts_at, campaign.ends_at
    begun = starts_at is not None and datetime.fromisoformat(starts_at) <= datetime.now(UTC)
    values: Values = {
        "code": campaign.code,
        "name": campaign.name or "",
        "slogan": campaign.slogan or "",
        "label": "" if campaign.label in campaign.labels.values() else campaign.label or "",
        "when": "session" if session else "now" if begun and campaign.state == "draft" else "then",
        "starts_at": "" if starts_at is None else reading.show_instant(starts_at, resources.zone),
        "ends_at": "" if ends_at is None else reading.show_instant(ends_at, resources.zone),
        "session.id": session.get("id", ""),
        "session.date": session.get("date", ""),
        "audience.kind": audience.get("kind", "everyone"),
        "audience.levels": ", ".join(str(each) for each in audience.get("levels") or ()),
        "audience.member_days": str(audience.get("member_days") or ""),
        "audience.birthday": audience.get("birthday") or "",
        "audience.new_customer": bool(audience.get("new_customer")),
        "channels": campaign.channels,
        "stores": ", ".join(campaign.stores),
        "priority": str(campaign.priority),
        "coupons_allowed": campaign.coupons_allowed,
        "limits.per_shopper": str(limits.get("per_shopper") or ""),
        "limits.total": str(limits.get("total") or ""),
        "limits.budget": (
            "" if limits.get("budget") is None else reading.show_money(limits["budget"], resources.currency)
        ),
    }
    for language in LANGUAGES:
        for name in TEXTS:
            values[f"texts.{language}.{name}"] = (campaign.texts.get(language) or {}).get(name) or ""
    return values


def _as_typed(typed: FormData) -> Values:
    values: Values = dict.fromkeys(_NAMES, "")
    values |= {name: str(typed[name]) for name in typed}
    values["channels"] = [str(each) for each in typed.getlist("channels")]
    for name in ("audience.new_customer", "coupons_allowed"):
        values[name] = name in typed
    return values


_NAMES = [
    "code",
    "name",
    "slogan",
    "label",
    "when",
    "starts_at",
    "ends_at",
    "session.id",
    "session.date",
    "audience.kind",
    "audience.levels",
    "audience.member_days",
    "audience.birthday",
    "stores",
    "priority",
    "limits.per_shopper",
    "limits.total",
    "limits.budget",
] + [f"texts.{language}.{name}" for language in LANGUAGES for name in TEXTS]


def take(request: Request, campaign: Campaign, form: FormData) -> tuple[dict[str, Any], Errors]:
    """The body of a change made of the form. Fields that were not asked are not in it."""
    taking = _Taking(request, campaign, form)
    taking.texts()
    taking.window()
    taking.audience()
    taking.places()
    taking.limits()
    return taking.body, taking.errors


class _Taking:
    """Reads one form."""

    def __init__(self, request: Request, campaign: Campaign, form: FormData) -> None:
        self.body: dict[str, Any] = {}
        self.errors: Errors = {}
        self._resources = request.state.resources
        self._campaign, self._form = campaign, form
        self._shown = shown(request, campaign)

    def texts(self) -> None:
        """Name, slogan and label, in every language."""
        for name in TEXTS:
            if name in self._form:
                self.body[name] = self._text(name) or None
        if any(name.startswith("texts.") for name in self._form):
            texts = dict(self._campaign.texts)
            for language in LANGUAGES:
                given = {name: self._text(f"texts.{language}.{name}") or None for name in TEXTS}
                texts.pop(language, None)
                if any(given.values()):
                    texts[language] = given
            self.body["texts"] = texts

    def window(self) -> None:
        """Start and end, or the session that has them."""
        when = self._text("when") or ("then" if "starts_at" in self._form else "")
        if when == "session":
            session = {"id": self._text("session.id"), "date": self._text("session.date")}
            if not all(session.values()):
                self.errors["rule.session"] = [gettext("Choose a session and its date.")]
            elif session != self._campaign.rule.get("session"):
                self.body |= {"rule": {"session": session}, "starts_at": None, "ends_at": None}
            return
        if when and self._campaign.rule.get("session"):
            self.body["rule"] = {"session": None}
        if when == "now" and self._shown["when"] != "now":
            self.body["starts_at"] = self._resources.iso(time.time_ns() // 1_000_000)
        elif when == "then":
            self._instant("starts_at")
        if when != "session":
            self._instant("ends_at")

    def audience(self) -> None:
        """Everyone, or members with conditions."""
        if "audience.kind" not in self._form:
            return
        audience: dict[str, Any] = {"kind": self._text("audience.kind")}
        if audience["kind"] == "members":
            levels = reading.words(self._text("audience.levels"))
            read = [self._read("audience.levels", reading.whole, each) for each in levels]
            audience["levels"] = read or None
            audience["member_days"] = self._read("audience.member_days", reading.whole)
            audience["birthday"] = self._text("audience.birthday") or None
            if "audience.new_customer" in self._form:
                audience["new_customer"] = True
            if not any(name.startswith("audience.") for name in self.errors):
                self.body["audience"] = audience
        else:
            self.body["audience"] = audience

    def places(self) -> None:
        """Channels, stores, the place among other campaigns, and whether coupons apply."""
        asked = self._form.getlist("asked")
        if "channels" in asked:
            self.body["channels"] = [str(each) for each in self._form.getlist("channels")]
        if "stores" in self._form:
            self.body["stores"] = reading.words(self._text("stores"))
        if "priority" in self._form:
            priority = self._read("priority", reading.whole, self._text("priority") or "0")
            if priority is not None:
                self.body["priority"] = priority
        if "coupons_allowed" in asked:
            self.body["coupons_allowed"] = "coupons_allowed" in self._form

    def limits(self) -> None:
        """How much may be given away in all."""
        readers: Mapping[str, Callable[[str], int]] = {
            "per_shopper": reading.whole,
            "total": reading.whole,
            "budget": lambda text: reading.money(text, self._resources.currency),
        }
        asked = [name for name in LIMITS if f"limits.{name}" in self._form]
        limits = dict(self._campaign.limits or {})
        for name in asked:
            limits[name] = self._read(f"limits.{name}", readers[name])
        if asked and not any(name.startswith("limits.") for name in self.errors):
            self.body["limits"] = limits if any(each is not None for each in limits.values()) else None

    def _instant(self, name: str) -> None:
        text = self._text(name)
        if name not in self._form or text == self._shown[name]:
            # A form shows no fractions of a second: what was not touched stays as exact as it was.
            return
        if not text:
            self.body[name] = None
            return
        moment = self._read(name, lambda given: reading.instant(given, self._resources.zone))
        if moment is not None:
            self.body[name] = self._resources.iso(moment)

    def _text(self, name: str) -> str:
        return str(self._form.get(name, "")).strip()

    def _read(self, name: str, read: Callable[[str], int], text: str | None = None) -> int | None:
        text = self._text(name) if text is None else text
        if not text:
            return None
        try:
            return read(text)
        except reading.Unreadable as error:
            self.errors[name] = [str(error)]
            return None


def is_made(campaign: Campaign) -> bool:
    """Whether a campaign's code was made up, so that a better one may be made from its name."""
    return re.fullmatch(rf"{campaign.type.replace('_', '-')}-[a-z0-9]{{8}}", campaign.code) is not None


def code_from(name: str) -> str:
    """A code from the Latin letters and digits of a name; empty when it has none."""
    latin = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", latin).strip("-")[:CODE_MAX].strip("-")
