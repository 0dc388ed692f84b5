"""Demo goods: what the demo sells, in categories with names in both languages."""

from __future__ import annotations

from typing import Any

from admin.catalog import categories
from admin.errors import NotFound
from admin.resources import Resources

CATEGORIES: dict[str, dict[str, Any]] = {
    "home": {"name": "Home", "texts": {"zh-Hant": {"name": "居家"}}},
    "kitchen": {"name": "Tea and kitchen", "parent": "home", "texts": {"zh-Hant": {"name": "茶與廚房"}}},
    "living": {"name": "Living", "parent": "home", "position": 1, "texts": {"zh-Hant": {"name": "生活"}}},
    "sound": {"name": "Sound", "position": 1, "texts": {"zh-Hant": {"name": "音響"}}},
    "paper": {"name": "Paper", "position": 2, "texts": {"zh-Hant": {"name": "文具"}}},
}
"""A parent comes before its children."""

PRODUCTS: dict[str, dict[str, Any]] = {
    "demo-kettle": {
        "name": "Copper kettle 手工銅壺",
        "price": 29_900,
        "category": "kitchen",
        "description": "Beaten by hand from one sheet, with a spout that does not drip.\n"
        "一片銅板手工敲製，壺嘴不滴水。",
    },
    "demo-lamp": {
        "name": "Paper lamp 和紙檯燈",
        "price": 12_800,
        "category": "living",
        "description": "Warm light through washi paper, dimmed with one finger.\n和紙透出暖光，輕觸即可調光。",
    },
    "demo-headphones": {
        "name": "Quiet headphones 降噪耳機",
        "price": 89_900,
        "category": "sound",
        "description": "They keep the train out and the music in, for thirty hours.\n"
        "隔絕車廂噪音，音樂相伴三十小時。",
    },
    "demo-tea": {
        "name": "High mountain tea 高山烏龍茶",
        "price": 6_800,
        "category": "kitchen",
        "description": "Spring harvest from 1,400 metres, rolled and lightly roasted.\n"
        "海拔一千四百公尺春茶，半球形輕焙。",
    },
    "demo-cup": {
        "name": "Tea cup 茶杯",
        "price": 3_900,
        "category": "kitchen",
        "description": "Thin porcelain, white inside, so that you see the colour of the tea.\n"
        "薄胎白瓷，茶色一目了然。",
    },
    "demo-pot": {
        "name": "Clay teapot 陶茶壺",
        "price": 45_900,
        "category": "kitchen",
        "description": "Unglazed clay that remembers every tea. Holds three cups.\n素燒陶土，越泡越養。容量三杯。",
    },
    "demo-towel": {
        "name": "Linen towel 亞麻布巾",
        "price": 2_900,
        "category": "kitchen",
        "description": "Washed linen that dries glasses without a trace.\n水洗亞麻，擦杯不留痕。",
    },
    "demo-sampler": {
        "name": "Tea sampler 茶包組",
        "price": 1_500,
        "category": "kitchen",
        "gift_only": True,
        "description": "Five teas to try.\n五款茶包試飲。",
    },
    "demo-blanket": {
        "name": "Wool blanket 羊毛毯",
        "price": 59_900,
        "category": "living",
        "description": "Woven from undyed wool, large enough for two.\n原色羊毛織成，兩人共用也夠大。",
    },
    "demo-speaker": {
        "name": "Shelf speaker 書架喇叭",
        "price": 159_900,
        "category": "sound",
        "description": "Room-filling sound from a box of solid oak.\n實木音箱，聲音充滿整個房間。",
    },
    "demo-radio": {
        "name": "Pocket radio 口袋收音機",
        "price": 19_900,
        "category": "sound",
        "description": "One dial, one switch, two weeks on one charge.\n一個旋鈕、一個開關，充一次電聽兩週。",
    },
    "demo-notebook": {
        "name": "Dotted notebook 點陣筆記本",
        "price": 4_500,
        "category": "paper",
        "description": "Lies flat at every page, 192 of them.\n一百九十二頁，頁頁攤平。",
    },
}


def file(resources: Resources, *, actor: str) -> None:
    """Make the categories that are not there yet.

    Raises:
        AdminError: a service refused.
    """
    for category, about in CATEGORIES.items():
        try:
            categories.read(resources, category)
        except NotFound:
            categories.create(resources, {"id": category, **about}, actor=actor)
