"""How a campaign stands that is stored already: its rule in words, its goods, and who wins against it."""

from __future__ import annotations

from pydantic import BaseModel, Field

from admin.campaigns.stored import Readable, Stored, load
from admin.campaigns.views import preferred
from admin.gate import overlaps, reporting
from admin.gate.goods import goods_of
from admin.gate.models import CheckOverlap
from admin.promotions.campaign import Campaign, read_campaign
from admin.promotions.model import LANGUAGES
from admin.promotions.words import Reader, in_words
from admin.quotes.book import Book
from admin.resources import Resources
from admin.routing import Call
from gateway.orders.database import reading

GOODS_MAX = 200


class StandingGood(BaseModel):
    """A product that the campaign holds now."""

    sku: str
    name: str
    price: int = Field(description="base price")


class CampaignStanding(BaseModel):
    """What a campaign says and does. `goods` are the first of `goods_total`; empty where it has no window yet."""

    code: str
    title: str = Field(description="of its type")
    sentence: str = Field(description="what the type does")
    rule: list[str] = Field(description="the rule in words")
    goods: list[StandingGood]
    goods_total: int
    overlaps: list[CheckOverlap]
    overlaps_total: int


def standing(call: Call) -> CampaignStanding:
    """How a campaign stands.

    Raises:
        NotFound: there is no such campaign.
        Conflict: this version cannot read it.
    """
    resources, language = call.resources, preferred(call.languages)
    book = resources.books.fresh()
    with reading(resources.engine) as connection:
        stored = load(connection, call.path["code"])
    content = stored.readable()
    about = content.promotion
    told = CampaignStanding(
        code=stored.code,
        title=about.title.get(language, about.title[LANGUAGES[0]]),
        sentence=about.sentence.get(language, about.sentence[LANGUAGES[0]]),
        rule=_words(resources, book, content, language),
        goods=[],
        goods_total=0,
        overlaps=[],
        overlaps_total=0,
    )
    campaign = _published(resources, stored, content)
    if campaign is None:
        return told
    listed = book.listings
    skus = sorted(campaign.items) if campaign.scope == "items" else resources.shelf.skus.of(listed)
    goods = goods_of(campaign, (listed[sku].product for sku in skus if sku in listed))
    first = list(goods.products.values())[:GOODS_MAX]
    found = overlaps.overlaps(campaign, goods, book.index.all(), stored.now_ms) if stored.state != "ended" else []
    shown = found[: reporting.OVERLAPS_MAX]
    return told.model_copy(
        update={
            "goods": [StandingGood(sku=each.sku, name=listed[each.sku].name, price=each.price) for each in first],
            "goods_total": len(goods),
            "overlaps": [
                reporting.overlap_view(resources, campaign, each, stored.now_ms, language) for each in shown
            ],
            "overlaps_total": len(found),
        }
    )


def _words(resources: Resources, book: Book, content: Readable, language: str) -> list[str]:
    if content.rule is None:
        return []
    names = book.listings
    reader = Reader(
        language, resources.currency, resources.zone, lambda sku: names[sku].name if sku in names else sku
    )
    return in_words(content.promotion.form, content.rule, reader)


def _published(resources: Resources, stored: Stored, content: Readable) -> Campaign | None:
    """The campaign as the engine has it; None while a draft is not far enough for that."""
    fields = content.fields
    if fields.starts_at is None or fields.ends_at is None or content.rule is None:
        return None
    body = fields.model_dump(mode="json", exclude={"code", "draft", "type"})
    body |= {
        "audience": fields.audience.as_json(),
        "type": stored.row.type,
        "revision": stored.row.revision,
        "draft": False,
        "paused": stored.row.paused,
        "terminated_at": stored.row.terminated_at_ms,
    }
    campaign = read_campaign(stored.code, body, resources.currency)
    return campaign if campaign.broken is None else None
