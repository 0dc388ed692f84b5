"""Why something was not done, as `code: sentence`: the code for programs, the sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping

from admin.promotions.model import LANGUAGES

_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "unreadable": {"en": "its stored rule cannot be read", "zh-Hant": "無法讀取已儲存的規則"},
    "draft": {"en": "it is a draft", "zh-Hant": "尚為草稿"},
    "not_started": {"en": "it has not started yet", "zh-Hant": "活動尚未開始"},
    "ended": {"en": "it is over", "zh-Hant": "活動已結束"},
    "paused": {"en": "it is paused", "zh-Hant": "活動暫停中"},
    "channel": {"en": "it is not for this channel", "zh-Hant": "不適用於此通路"},
    "store": {"en": "it is not for this store", "zh-Hant": "不適用於此門市"},
    "members_only": {"en": "it is for members", "zh-Hant": "限會員參加"},
    "level": {"en": "it is for other member levels", "zh-Hant": "不符會員等級"},
    "member_days": {"en": "it is for longer-standing members", "zh-Hant": "入會天數不足"},
    "birthday": {"en": "it is for birthdays", "zh-Hant": "限壽星參加"},
    "new_customer": {"en": "it is for new customers", "zh-Hant": "限新客參加"},
    "excluded_item": {"en": "this product is excluded", "zh-Hant": "此商品不參加活動"},
    "not_below_base": {"en": "it would not lower the price", "zh-Hant": "優惠價未低於原價"},
    "deposit_too_small": {"en": "its deposit would be rounded to nothing", "zh-Hant": "訂金過低"},
    "deposit_too_large": {"en": "its deposit would count for its whole price", "zh-Hant": "訂金抵扣已達售價"},
    "limit_per_shopper": {"en": "more units than one shopper may have", "zh-Hant": "超過每人限購數量"},
    "used_up": {"en": "too little of it is left", "zh-Hant": "活動名額或預算不足"},
    "used": {"en": "it was used as often as it may be", "zh-Hant": "已使用完畢"},
    "own_button": {"en": "it has a button of its own", "zh-Hant": "請使用專屬按鈕購買"},
    "stands_alone": {"en": "it is bought alone, without other products", "zh-Hant": "須單獨購買"},
    "not_in_scope": {"en": "it does not hold this product", "zh-Hant": "此商品不在活動範圍"},
    "unknown_campaign": {"en": "no such campaign is on", "zh-Hant": "目前沒有此活動"},
    "unselected": {"en": "the line is not selected", "zh-Hant": "此商品未勾選"},
    "lower_priority": {"en": "{code} goes first", "zh-Hant": "以 {code} 優先"},
    "other_choice": {"en": "another choice was made", "zh-Hant": "已選擇其他方案"},
    "saves_less": {"en": "another choice saves more", "zh-Hant": "其他方案更優惠"},
    "spend_more": {"en": "spend {amount} more", "zh-Hant": "再買 {amount} 元即可"},
    "buy_more": {"en": "{count} more to go", "zh-Hant": "再買 {count} 件即可"},
    "not_reached": {"en": "its threshold is not reached", "zh-Hant": "未達門檻"},
    "out_of_stock": {"en": "it is out of stock", "zh-Hant": "已無庫存"},
    "unavailable": {"en": "it is not on sale", "zh-Hant": "商品未上架"},
    "not_an_option": {"en": "the campaign does not offer it", "zh-Hant": "不在可選範圍"},
    "too_many": {"en": "more than may be chosen", "zh-Hant": "超過可選數量"},
    "over_limit": {"en": "more than the campaign allows in one order", "zh-Hant": "超過每單限購數量"},
    "not_joined": {"en": "no product in the cart joined the campaign", "zh-Hant": "購物車內沒有參加此活動的商品"},
    "unknown_coupon": {"en": "there is no such coupon", "zh-Hant": "查無此優惠券"},
    "not_claimed": {"en": "it must be claimed first", "zh-Hant": "請先領取優惠券"},
    "nothing_in_scope": {"en": "nothing in the cart can use it", "zh-Hant": "沒有適用的商品"},
}


def reason(code: str, language: str, /, **values: str | int) -> str:
    """A reason in a language; `values` fill its gaps."""
    texts = _SENTENCES[code]
    return f"{code}: {texts.get(language, texts[LANGUAGES[0]]).format(**values)}"
