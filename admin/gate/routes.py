"""The publish gate over HTTP."""

from __future__ import annotations

from admin.campaigns.views import preferred
from admin.gate import service, standing, trying
from admin.gate.models import CampaignCheck, CheckFilter, CheckStored
from admin.gate.standing import CampaignStanding
from admin.promotions import registry
from admin.quotes.asking import asked_as
from admin.quotes.models import CartAs, Trial
from admin.routing import Body, Call, Endpoint

_TYPES = registry.available().values()


def _check(call: Call) -> CampaignCheck:
    wanted = call.query(CheckFilter)
    return service.check_campaign(call.resources, call.body, wanted.orders, preferred(call.languages))


def _try(call: Call) -> Trial:
    return Trial.model_validate(trying.try_cart(call.resources, call.path["code"], asked_as(call)))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/admin/api/campaigns/check",
        "check_campaign",
        "What publishing a campaign would mean; nothing is stored",
        _check,
        CampaignCheck,
        body=Body(
            (CheckStored, *(each.campaign for each in _TYPES)),
            {"stored": {"code": "noon1122"}, **{each.name: dict(each.body) for each in _TYPES}},
        ),
        query=CheckFilter,
        problems=(404, 409),
        role="viewer",
    ),
    Endpoint(
        "GET",
        "/admin/api/campaigns/{code}/standing",
        "read_standing",
        "A campaign's rule in words, its goods, and who wins against it",
        standing.standing,
        CampaignStanding,
        problems=(404, 409),
    ),
    Endpoint(
        "POST",
        "/admin/api/campaigns/{code}/quote",
        "try_campaign",
        "What a cart would cost if a draft were published; nothing is stored",
        _try,
        Trial,
        body=Body((CartAs,), {"two": {"lines": [{"sku": "kettle", "quantity": 2}], "shopper": {"level": 1}}}),
        problems=(404, 409),
        role="viewer",
    ),
)
