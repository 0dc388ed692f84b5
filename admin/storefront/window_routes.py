"""What shop windows show, over HTTP, for shoppers and guests."""

from __future__ import annotations

from admin.routing import Call, Endpoint
from admin.storefront import campaign_list, category_list, flash_sales
from admin.storefront.visit import enter
from admin.storefront.window_models import (
    FlashFilter,
    FlashSales,
    ShopCampaignFilter,
    ShopCampaignPage,
    ShopCategories,
)


def _flash_sales(call: Call) -> FlashSales:
    return flash_sales.read(enter(call), call.query(FlashFilter))


def _campaigns(call: Call) -> ShopCampaignPage:
    wanted = call.query(ShopCampaignFilter)
    return campaign_list.page(enter(call, wanted.channel, wanted.store), wanted)


def _categories(call: Call) -> ShopCategories:
    return category_list.read(enter(call))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/api/flash-sales",
        "list_flash_sales",
        "Flash sales that are on or announced, with what is left",
        _flash_sales,
        FlashSales,
        query=FlashFilter,
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/campaigns",
        "list_shop_campaigns",
        "Promotions that are on or announced",
        _campaigns,
        ShopCampaignPage,
        query=ShopCampaignFilter,
        caller="guest",
    ),
    Endpoint(
        "GET",
        "/api/categories",
        "list_shop_categories",
        "Categories with the number of products on sale",
        _categories,
        ShopCategories,
        caller="guest",
    ),
)
