"""What promotions need: categories, members, sessions, coupons, the record of changes, snapshots of quotes."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add tables and columns. Code of the release before goes on working with both."""
    _changes()
    _catalog()
    _people()
    _coupons()
    _quotes()
    _imports()
    op.add_column("campaigns", sa.Column("summary", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("campaigns", sa.Column("refund_all_by", sa.String(length=100), nullable=True))
    _note_campaigns()


def _changes() -> None:
    op.create_table(
        "change_counter",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_counter")),
    )
    op.execute(sa.text("INSERT INTO change_counter (id, number) VALUES (1, 0)"))
    op.create_table(
        "changes",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(none_as_null=True), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_subject", "changes", ["kind", "subject", "number"], unique=False)


def _catalog() -> None:
    op.add_column("products", sa.Column("changed", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index(op.f("ix_products_changed"), "products", ["changed"], unique=False)
    op.create_table(
        "categories",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("parent", sa.String(length=64), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=False),
        *_stamps(),
        sa.ForeignKeyConstraint(["parent"], ["categories.id"], name=op.f("fk_categories_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
    )
    op.create_index(op.f("ix_categories_parent"), "categories", ["parent"], unique=False)


def _people() -> None:
    op.create_table(
        "members",
        sa.Column("shopper", sa.String(length=64), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=True),
        sa.Column("birthday", sa.String(length=5), nullable=True),
        sa.Column("first_paid_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("paid_level", sa.Integer(), nullable=True),
        sa.Column("paid_until_ms", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=True),
        *_stamps(),
        sa.CheckConstraint("(paid_level IS NULL) = (paid_until_ms IS NULL)", name=op.f("ck_members_paid")),
        sa.PrimaryKeyConstraint("shopper", name=op.f("pk_members")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("starts", sa.String(length=5), nullable=False),
        sa.Column("ends", sa.String(length=5), nullable=False),
        *_stamps(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
    )


def _coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("starts_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ends_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=True),
        *_stamps(),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_coupons")),
    )
    op.create_index("ix_coupons_created", "coupons", ["created_at_ms", "code"], unique=False)


def _quotes() -> None:
    op.create_table(
        "quotes",
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("shopper", sa.String(length=64), nullable=True),
        sa.Column("engine", sa.Integer(), nullable=False),
        sa.Column("change_number", sa.BigInteger(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("snapshot", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_quotes")),
    )
    op.create_index("ix_quotes_created", "quotes", ["created_at_ms"], unique=False)
    op.create_index(
        "ix_quotes_nobodys",
        "quotes",
        ["created_at_ms"],
        unique=False,
        sqlite_where=sa.text("shopper IS NULL"),
        postgresql_where=sa.text("shopper IS NULL"),
    )


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("sheet", sa.String(length=16), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("partial", sa.Boolean(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("error_count", sa.Integer(), nullable=False),
        sa.Column("errors", sa.JSON(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_created", "imports", ["created_at_ms", "id"], unique=False)


def _stamps() -> list[sa.Column[Any]]:
    return [
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_ms", sa.BigInteger(), nullable=False),
    ]


def _note_campaigns() -> None:
    """Campaigns that were made before changes were recorded."""
    connection = op.get_bind()
    items: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(
        sa.text("SELECT campaign, sku, terms FROM campaign_items WHERE NOT removed ORDER BY campaign, position")
    ):
        items.setdefault(row.campaign, []).append({"sku": row.sku, **_json(row.terms)})
    rows = connection.execute(sa.text("SELECT * FROM campaigns WHERE NOT removing ORDER BY code")).all()
    for number, row in enumerate(rows, 1):
        body = {
            **_json(row.terms),
            "type": row.type,
            "revision": row.revision,
            "draft": bool(row.draft),
            "paused": bool(row.paused),
            "terminated_at": row.terminated_at_ms,
            "starts_at": row.starts_at_ms,
            "ends_at": row.ends_at_ms,
            "priority": row.priority,
            "items": items.get(row.code, []),
        }
        connection.execute(
            sa.text(
                "INSERT INTO changes (number, kind, subject, body) VALUES (:number, 'campaign', :code, :body)"
            ).bindparams(sa.bindparam("body", type_=sa.JSON())),
            {"number": number, "code": row.code, "body": body},
        )
    connection.execute(sa.text("UPDATE change_counter SET number = :number"), {"number": len(rows)})


def _json(value: Any) -> dict[str, Any]:
    """A JSON column read without its type: SQLite gives text."""
    return dict(json.loads(value) if isinstance(value, str) else value)
