"""Which fields of a campaign cannot be changed now, and why, in the words of its operator."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from admin.campaigns.models import Campaign
from admin.campaigns.states import OPEN
from admin.pages import asking
from admin.pages.locales import gettext
from admin.promotions import registry

_WHILE_RUNNING = frozenset({"name", "slogan", "label", "texts", "exclude", "items", "ends_at", "limits"})
_NOT_IN_SECKILL = frozenset({"channels", "stores", "categories", "exclude", "limits", "audience.new_customer"})


@dataclass(frozen=True, slots=True)
class Locks:
    """Answers for one campaign and the operator who looks at it."""

    campaign: Campaign
    may_change: bool

    @classmethod
    def of(cls, request: Request, campaign: Campaign) -> Locks:
        """The locks as they are for whoever asks."""
        return cls(campaign, asking.allowed(request, "change_campaign"))

    def why(self, field: str) -> str | None:
        """Why a field cannot be changed; None when it can."""
        if not self.may_change:
            return gettext("You may look, but only editors may change campaigns.")
        if self.campaign.error is not None:
            return gettext("This version of the shop cannot read the campaign, so nothing in it can be changed.")
        return self._by_type(field) or self._by_state(field)

    def _by_type(self, field: str) -> str | None:
        promotion = registry.available()[self.campaign.type]
        root = field.split(".", maxsplit=1)[0]
        if field == "scope" and promotion.items_only:
            return gettext("This type sells products that are listed one by one.")
        if promotion.sold_by_gateway:
            if field in _NOT_IN_SECKILL or root in _NOT_IN_SECKILL:
                return gettext("A flash sale is sold by the fast gateway, which cannot look at this.")
            if field == "scope":
                return gettext("This type sells products that are listed one by one.")
            if field == "limits.per_shopper":
                return gettext("This type has its limit for each shopper in its rule.")
        if field == "limits.per_shopper" and self.campaign.type == "group_buy":
            return gettext("This type has its limit for each shopper in its rule.")
        return None

    def _by_state(self, field: str) -> str | None:
        state = self.campaign.state
        if state in OPEN:
            return None
        if state == "ended":
            return gettext("The campaign is over: nothing in it changes any more. Copy it to go on.")
        root, _, part = field.partition(".")
        promotion = registry.available()[self.campaign.type]
        if root == "limits" and part and (self.campaign.limits or {}).get(part) is None:
            return gettext("There is no limit, and one cannot be added while shoppers can buy.")
        if root in _WHILE_RUNNING or field in promotion.raisable:
            return None
        if state == "paused":
            return gettext("The campaign has begun and is paused: this cannot change any more.")
        return gettext("The campaign is running: this cannot change any more.")
