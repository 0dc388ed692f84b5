"""Every view of the back office, in the order of its menu."""

from __future__ import annotations

from starlette_admin.views import BaseView

from admin.backoffice.calendar.view import CalendarView
from admin.backoffice.live.monitor import Monitor
from admin.backoffice.live.reports import Reports
from admin.backoffice.records.categories import CategoriesView
from admin.backoffice.records.codes import Codes
from admin.backoffice.records.coupons import CouponsView
from admin.backoffice.records.members import MembersView
from admin.backoffice.records.products import ProductsView
from admin.backoffice.records.sessions import SessionsView
from admin.backoffice.records.sheets import Sheets
from admin.backoffice.sales.campaigns import Campaigns
from admin.backoffice.sales.log import AuditLog
from admin.backoffice.sales.operators import Operators
from admin.backoffice.sales.orders import Orders
from admin.backoffice.sales.refunds import Refunds
from admin.backoffice.simulator.view import Simulator
from admin.backoffice.wizard.ruling_check import RuleCheck
from admin.backoffice.wizard.view import Wizard

VIEWS: tuple[type[BaseView] | BaseView, ...] = (
    Campaigns,
    Wizard,
    RuleCheck,
    CalendarView,
    Orders,
    Refunds,
    ProductsView,
    CategoriesView,
    CouponsView,
    SessionsView,
    MembersView,
    Sheets,
    Codes,
    Monitor,
    Reports,
    Simulator,
    AuditLog,
    Operators,
)
