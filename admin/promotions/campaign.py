"""A published campaign as the engine holds it: read once from what is stored, then only compared and applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from admin.promotions import registry
from admin.promotions.audience import Audience
from admin.promotions.model import LANGUAGES, Limits, PromotionType

EVERYONE = Audience()
_FLAGS = ("type", "revision", "draft", "paused", "terminated_at")
"""What a recorded campaign has besides the fields of its type."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign. `rank` orders campaigns, the smallest first: larger priority, later start, smaller code.

    `own_limit` is units that one shopper may have in all, where the rule says so instead of the limits. `broken`
    says why a stored rule cannot be read; such a campaign is only ever shown.
    """

    code: str
    revision: int
    type_name: str
    type: PromotionType | None
    rule: Any
    items: Mapping[str, Any]
    scope: str
    categories: frozenset[str]
    exclude: frozenset[str]
    starts_at_ms: int
    ends_at_ms: int
    draft: bool
    paused: bool
    terminated: bool
    channels: frozenset[str]
    stores: frozenset[str]
    audience: Audience
    coupons_allowed: bool
    limits: Limits | None
    name: str
    slogan: str | None
    label: str | None
    labels: Mapping[str, str]
    texts: Mapping[str, Any]
    rank: tuple[int, int, str]
    own_limit: int | None = None
    broken: str | None = None

    def text(self, name: str, language: str) -> str | None:
        """The name, slogan or label in a language: typed for it, typed for all, or generated."""
        typed = self.texts.get(language) or {}
        found: str | None = typed.get(name) or getattr(self, name)
        if found is None and name == "label":
            return self.labels.get(language) or self.labels.get(LANGUAGES[0]) or self.type_name
        return found

    @property
    def per_shopper(self) -> int | None:
        """What one shopper may have in all: units by the rule's own limit, else as the type counts; None: any."""
        if self.own_limit is not None or self.limits is None:
            return self.own_limit
        return self.limits.per_shopper

    @property
    def limited(self) -> bool:
        """Whether it may be used up."""
        return self.limits is not None or self.own_limit is not None

    def running(self, now_ms: int) -> bool:
        """Whether it is on at an instant."""
        return (
            self.starts_at_ms <= now_ms < self.ends_at_ms
            and not self.draft
            and not self.paused
            and not self.terminated
        )

    def announced(self, now_ms: int) -> bool:
        """Whether it is published and still to begin."""
        return now_ms < self.starts_at_ms and not self.draft and not self.paused and not self.terminated


def read_campaign(code: str, body: Mapping[str, Any], currency: str) -> Campaign:
    """A campaign from what was recorded of it (`admin/changes.py`). Never raises: what cannot be read is broken."""
    promotion = registry.available().get(str(body.get("type")))
    if promotion is None:
        return _broken(code, body, None, f"this version has no promotion type {body.get('type')}")
    terms = {name: value for name, value in body.items() if name not in _FLAGS}
    try:
        fields: Any = promotion.fields.model_validate(terms)
        labels = promotion.label(fields.rule, fields.items, currency)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return _broken(code, body, promotion, f"{where}: {first['msg']}")
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
        return _broken(code, body, promotion, repr(error))
    allowed = fields.coupons_allowed
    return Campaign(
        **_common(code, body),
        type=promotion,
        rule=fields.rule,
        items={item.sku: item for item in fields.items},
        categories=frozenset(fields.categories),
        exclude=frozenset(fields.exclude),
        channels=frozenset(fields.channels),
        stores=frozenset(fields.stores),
        audience=fields.audience,
        coupons_allowed=promotion.coupons_allowed if allowed is None else allowed,
        limits=fields.limits,
        own_limit=promotion.own_limit(fields.rule),
        labels=labels,
        texts={language: each.model_dump(exclude_none=True) for language, each in fields.texts.items()},
    )


def _common(code: str, body: Mapping[str, Any]) -> dict[str, Any]:
    starts_at_ms = _whole(body.get("starts_at"))
    return {
        "code": code,
        "revision": _whole(body.get("revision")),
        "type_name": str(body.get("type", "")),
        "scope": body.get("scope") or "items",
        "starts_at_ms": starts_at_ms,
        "ends_at_ms": _whole(body.get("ends_at")),
        "draft": bool(body.get("draft")),
        "paused": bool(body.get("paused")),
        "terminated": body.get("terminated_at") is not None,
        "name": body.get("name") or code,
        "slogan": body.get("slogan"),
        "label": body.get("label"),
        "rank": (-_whole(body.get("priority")), -starts_at_ms, code),
    }


def _whole(value: Any) -> int:
    # A draft may lack it, and what was stored by another version may be anything.
    return value if isinstance(value, int) else 0


def _broken(code: str, body: Mapping[str, Any], promotion: PromotionType | None, why: str) -> Campaign:
    items, categories = body.get("items"), body.get("categories")
    listed = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return Campaign(
        **_common(code, body),
        type=promotion,
        rule=None,
        items={item["sku"]: None for item in listed if isinstance(item.get("sku"), str)},
        categories=frozenset(each for each in categories if isinstance(each, str))
        if isinstance(categories, list)
        else frozenset(),
        exclude=frozenset(),
        channels=frozenset(),
        stores=frozenset(),
        audience=EVERYONE,
        coupons_allowed=True,
        limits=None,
        labels={},
        texts={},
        broken=why,
    )
