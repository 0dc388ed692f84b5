"""The storefront over HTTP, for shoppers and guests."""

from __future__ import annotations

from admin.routing import Call, Endpoint
from admin.storefront import campaign_page, lists, presale_page, product_page, session_days
from admin.storefront.models import (
    CampaignGoodsFilter,
    SessionDays,
    ShopCampaign,
    ShopFilter,
    ShopPlace,
    ShopPresale,
    ShopProductData,
    ShopProductPage,
)
from admin.storefront.visit import enter


def _list(call: Call) -> ShopProductPage:
    wanted = call.query(ShopFilter)
    return lists.page(enter(call, wanted.channel, wanted.store), wanted)


def _read(call: Call) -> ShopProductData:
    place = call.query(ShopPlace)
    return product_page.read(enter(call, place.channel, place.store), call.path["sku"])


def _campaign(call: Call) -> ShopCampaign:
    wanted = call.query(CampaignGoodsFilter)
    return campaign_page.read(enter(call, wanted.channel, wanted.store), call.path["code"], wanted)


def _presale(call: Call) -> ShopPresale:
    place = call.query(ShopPlace)
    return presale_page.read(enter(call, place.channel, place.store), call.path["campaign"], call.path["sku"])


def _sessions(call: Call) -> SessionDays:
    return session_days.read(enter(call))


def _campaign_at(path: str, name: str) -> Endpoint:
    return Endpoint(
        "GET",
        path,
        name,
        "A campaign with its products",
        _campaign,
        ShopCampaign,
        query=CampaignGoodsFilter,
        problems=(404,),
        caller="guest",
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/products",
        "list_shop_products",
        "Products at the prices of this shopper",
        _list,
        ShopProductPage,
        query=ShopFilter,
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/products/{sku}",
        "read_shop_product",
        "A product with its promotions",
        _read,
        ShopProductData,
        query=ShopPlace,
        problems=(404,),
        caller="guest",
    ),
    _campaign_at("/api/campaigns/{code}", "read_shop_campaign"),
    _campaign_at("/c/{code}", "open_campaign"),
    Endpoint(
        "GET",
        "/api/presales/{campaign}/{sku}",
        "read_presale",
        "What a product costs in a pre-sale, and when",
        _presale,
        ShopPresale,
        query=ShopPlace,
        problems=(404,),
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/sessions",
        "list_session_days",
        "Sessions of today and the next seven days with their offers",
        _sessions,
        SessionDays,
        caller="guest",
    ),
)
