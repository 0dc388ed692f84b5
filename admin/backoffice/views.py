"""Every view of the back office, in the order of its menu."""

from __future__ import annotations

from starlette_admin.views import BaseView

from admin.backoffice.records.categories import CategoriesView
from admin.backoffice.records.codes import Codes
from admin.backoffice.records.coupons import CouponsView
from admin.backoffice.records.members import MembersView
from admin.backoffice.records.products import ProductsView
from admin.backoffice.records.sessions import SessionsView
from admin.backoffice.records.sheets import Sheets
from admin.backoffice.wizard.view import Wizard

VIEWS: tuple[type[BaseView] | BaseView, ...] = (
    Wizard,
    ProductsView,
    CategoriesView,
    CouponsView,
    SessionsView,
    MembersView,
    Sheets,
    Codes,
)
