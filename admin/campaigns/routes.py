"""Campaigns over HTTP."""

from __future__ import annotations

from admin.campaigns import editing, exporting, lists, service, stock
from admin.campaigns.models import (
    Campaign,
    CampaignChoice,
    CampaignFilter,
    CampaignPage,
    CopyInput,
    Removed,
    StockInput,
    StockReply,
    TerminateInput,
)
from admin.errors import Forbidden
from admin.inputs import Nothing
from admin.promotions import registry
from admin.routing import Body, Call, Endpoint

_LIST = "/admin/api/campaigns"
_ONE = "/admin/api/campaigns/{code}"


def _create(call: Call) -> Campaign:
    return service.create(call.resources, call.body, actor=call.actor, languages=call.languages)


def _list(call: Call) -> CampaignPage:
    return lists.page(call.resources, call.query(CampaignFilter), languages=call.languages)


def _read(call: Call) -> Campaign:
    return service.read(call.resources, call.path["code"], languages=call.languages)


def _change(call: Call) -> Campaign:
    return editing.change(
        call.resources,
        call.path["code"],
        call.body,
        actor=call.actor,
        if_match=call.if_match,
        languages=call.languages,
    )


def _delete(call: Call) -> Removed:
    return service.delete_campaign(call.resources, call.path["code"], actor=call.actor, if_match=call.if_match)


def _publish(call: Call) -> Campaign:
    call.read(Nothing)
    return service.publish(
        call.resources, call.path["code"], actor=call.actor, if_match=call.if_match, languages=call.languages
    )


def _terminate(call: Call) -> Campaign:
    if call.read(TerminateInput).refund_all and call.role != "owner":
        raise Forbidden("paying everybody back is for owners", needs="owner")
    return service.terminate(
        call.resources,
        call.path["code"],
        call.body,
        actor=call.actor,
        if_match=call.if_match,
        languages=call.languages,
    )


def _pause(call: Call) -> Campaign:
    call.read(Nothing)
    return service.pause(
        call.resources, call.path["code"], actor=call.actor, if_match=call.if_match, languages=call.languages
    )


def _resume(call: Call) -> Campaign:
    call.read(Nothing)
    return service.resume(
        call.resources, call.path["code"], actor=call.actor, if_match=call.if_match, languages=call.languages
    )


def _copy(call: Call) -> Campaign:
    return service.copy(call.resources, call.path["code"], call.body, actor=call.actor, languages=call.languages)


def _add_item(call: Call) -> Campaign:
    return editing.add_item(
        call.resources,
        call.path["code"],
        call.body,
        actor=call.actor,
        if_match=call.if_match,
        languages=call.languages,
    )


def _remove_item(call: Call) -> Campaign:
    return editing.remove_item(
        call.resources,
        call.path["code"],
        call.path["sku"],
        actor=call.actor,
        if_match=call.if_match,
        languages=call.languages,
    )


def _stock(call: Call) -> StockReply:
    return stock.change_stock(call.resources, call.path["code"], call.path["sku"], call.body, actor=call.actor)


def _action(name: str, summary: str, run: object, body: Body) -> Endpoint:
    return Endpoint(
        "POST",
        f"{_ONE}/{name}",
        f"{name}_campaign",
        summary,
        run,  # type: ignore[arg-type]
        Campaign,
        body=body,
        problems=(404, 409, 412),
    )


_TYPES = registry.available().values()
_NOTHING = Body((Nothing,), {"nothing": {}}, optional=True)

ENDPOINTS = (
    Endpoint(
        "POST",
        _LIST,
        "create_campaign",
        "Make a campaign, and publish it unless it is a draft",
        _create,
        Campaign,
        status=201,
        body=Body(tuple(each.campaign for each in _TYPES), {each.name: dict(each.body) for each in _TYPES}),
        problems=(409,),
    ),
    Endpoint(
        "GET", _LIST, "list_campaigns", "Campaigns, the latest first", _list, CampaignPage, query=CampaignFilter
    ),
    Endpoint(
        "GET",
        f"{_LIST}.csv",
        "export_campaigns",
        "All campaigns that are asked for, as CSV",
        exporting.export,
        None,
        query=CampaignChoice,
        other_types=("text/csv",),
    ),
    Endpoint("GET", _ONE, "read_campaign", "One campaign with its items", _read, Campaign, problems=(404,)),
    Endpoint(
        "PATCH",
        _ONE,
        "change_campaign",
        "Change what the state allows",
        _change,
        Campaign,
        body=Body(tuple(each.fields for each in _TYPES), {"slogan": {"slogan": "Last chance"}}),
        problems=(404, 409, 412),
    ),
    Endpoint(
        "DELETE",
        _ONE,
        "delete_campaign",
        "Delete what has sold nothing; archive what is over",
        _delete,
        Removed,
        problems=(404, 409, 412),
    ),
    _action("publish", "Put a draft on sale", _publish, _NOTHING),
    _action(
        "terminate",
        "End for good",
        _terminate,
        Body((TerminateInput,), {"keep": {"refund_all": False}}, optional=True),
    ),
    _action("pause", "Stop sales until resumed", _pause, _NOTHING),
    _action("resume", "Go on with sales", _resume, _NOTHING),
    Endpoint(
        "POST",
        f"{_ONE}/copy",
        "copy_campaign",
        "Make a draft like it",
        _copy,
        Campaign,
        status=201,
        body=Body((CopyInput,), {"named": {"code": "noon1122", "name": "Noon sale, again"}}, optional=True),
        problems=(404, 409),
    ),
    Endpoint(
        "POST",
        f"{_ONE}/items",
        "add_item",
        "Put one more product on the list, also while running",
        _add_item,
        Campaign,
        status=201,
        body=Body(
            tuple(dict.fromkeys(each.item for each in _TYPES)), {"fan": {"sku": "fan", "stock": 10, "price": 5900}}
        ),
        problems=(404, 409, 412),
    ),
    Endpoint(
        "DELETE",
        f"{_ONE}/items/{{sku}}",
        "remove_item",
        "Take a product off the list, also while running",
        _remove_item,
        Campaign,
        problems=(404, 409, 412),
    ),
    Endpoint(
        "POST",
        f"{_ONE}/items/{{sku}}/stock",
        "change_stock",
        "Top up or cut, once per operation id",
        _stock,
        StockReply,
        body=Body((StockInput,), {"top up": {"delta": 50, "operation_id": "2026-11-21/top-up/1"}}),
        problems=(404, 409),
    ),
)
