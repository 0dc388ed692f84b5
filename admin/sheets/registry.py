"""The sheets there are."""

from __future__ import annotations

from admin.sheets.categories import Categories
from admin.sheets.members import Members
from admin.sheets.model import Sheet
from admin.sheets.products import Products

SHEETS: dict[str, Sheet] = {each.name: each for each in (Products(), Categories(), Members())}
