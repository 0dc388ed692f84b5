"""Given CSV files of a shop, what is exported can be imported, and errors are told by row."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from imported import bring, counts, errors, everything, exported, sent
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import select, update

from admin import changes
from admin.catalog import service as catalog
from admin.catalog.tables import products
from admin.members import service as members
from admin.sheets import cells
from admin.sheets.registry import SHEETS
from gateway.orders.database import reading, writing

# What spreadsheets would take for formulas, quoting, lines, separators: all must come back as it was.
HARD = ["=1+1", "+1", "-1", "@x", "'=1", "''@", "'plain", 'say "hi", you', "a|b", "銅壺 👩‍👩‍👧", " spaces "]


def fill(shop: Shop) -> None:
    for number, text in enumerate(HARD):
        shop.product(
            sku=f"p{number}",
            name=text,
            category=text,
            tags=[text, "new"] if number % 2 else [],
            description=f"{text}\n\t-second,\r\n=third\n" if number % 3 else None,
            cost=number or None,
            gift_only=number % 2 == 0,
            membership={"level": 2, "days": 30} if number % 4 == 0 else None,
        )
        members.create(
            shop.resources,
            {
                "shopper": text,
                "level": number,
                "since": 1000 + number if number % 2 else None,
                "paid": {"level": 2, "until": 5_000} if number % 3 else None,
                "birthday": "02-29",
                "note": text,
            },
            actor=ACTOR,
        )
    tree = "id,name,parent,name.zh-Hant,name.fr\r\n-child,Child,'=root,,enfant\r\n'=root,@Root,,根,\r\n"
    assert counts(bring(shop, "categories", tree)) == ("done", 2, 0, 0, 0)


def test_what_is_exported_can_be_imported(shop: Shop) -> None:
    fill(shop)
    for sheet in SHEETS:
        before = everything(shop, sheet)
        data = exported(shop, sheet)
        assert exported(shop, sheet, mark=True) == b"\xef\xbb\xbf" + data
        for row in csv.reader(io.StringIO(data.decode(), newline="")):
            assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
        # Into the same shop nothing changes, with or without the mark.
        assert counts(bring(shop, sheet, data)) == ("done", 0, 0, len(before), 0)
        # Into an empty one everything is made as it was.
        with writing(shop.resources.engine) as connection:
            if sheet == "categories":
                connection.execute(update(SHEETS[sheet].table).values(parent=None))
            connection.execute(SHEETS[sheet].table.delete())
        progress = bring(shop, sheet, b"\xef\xbb\xbf" + data)
        assert (counts(progress), errors(progress)) == (("done", len(before), 0, 0, 0), [])
        assert sorted(map(str, everything(shop, sheet))) == sorted(map(str, before))


@given(st.text())
def test_a_guarded_cell_is_no_formula_and_comes_back(text: str) -> None:
    guarded = cells.guard(text)
    assert not guarded.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cells.unguard(guarded) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), max_size=5))
def test_a_list_in_a_cell_comes_back(texts: list[str]) -> None:
    assert cells.read_list(cells.show_list(texts)) == texts


def test_only_the_columns_that_are_there_change(shop: Shop) -> None:
    sku = shop.product(cost=5, tags=["new"], membership={"level": 2, "days": 30})
    made = catalog.read(shop.resources, sku)
    assert counts(bring(shop, "products", f"sku,price,cost,name\n{sku},777,,\n")) == ("done", 0, 1, 0, 0)
    # An empty cell clears what may be empty, and leaves the rest.
    after = catalog.read(shop.resources, sku)
    assert after.model_copy(update={"updated_at": made.updated_at}) == made.model_copy(
        update={"price": 777, "cost": None, "revision": 2}
    )
    bring(shop, "products", f"membership_days,membership_level,sku\n90,,{sku}\n")
    progress = bring(shop, "products", f"membership_days,membership_level,sku\n90,,{sku}\n")
    assert errors(progress) == [(2, "membership_level", "missing")]
    bring(shop, "products", f"sku,membership_days,membership_level\n{sku},,\n")
    assert catalog.read(shop.resources, sku).membership is None


def test_errors_are_told_by_row_and_nothing_is_stored(shop: Shop) -> None:
    sold = shop.product(sku="sold", stock=50)
    shop.campaign(items=[{"sku": sold, "stock": 40}])
    text = (
        "sku,name,price,stock,tags,on_sale\n"
        'good,"Two\nlines",100,1,,TRUE\n'
        "\n"
        "bad,Bad,1.50,-1,a|a,maybe\n"
        "good,Again,1,1,,\n"
        "sold,Sold,1,39,,\n"
        "short,1\n"
        ",Nameless,1,1,,\n"
        "bare,,,,,\n"
    )
    progress = bring(shop, "products", text)
    # The header is row 1, an empty row counts, a cell with two lines is one row.
    assert errors(progress) == [
        (2, "name", "control_character"),
        (4, "price", "not_an_integer"),
        (4, "on_sale", "not_a_boolean"),
        (4, "stock", "too_small"),
        (4, "tags", "repeated"),
        (6, "stock", "below_reserved"),
        (7, "", "wrong_cell_count"),
        (8, "sku", "missing"),
        (9, "name", "missing"),
        (9, "price", "missing"),
    ]
    assert counts(progress) == ("refused", 0, 0, 0, 10)
    assert progress.rows_done == progress.rows_total == 7
    assert [each["sku"] for each in everything(shop, "products")] == ["sold"]


def test_a_key_stands_once_in_a_file(shop: Shop) -> None:
    progress = bring(shop, "products", "sku,name,price\na,A,1\nb,B,1\na,C,2\n", partial=True)
    assert errors(progress) == [(4, "sku", "repeated")]
    assert [(each["sku"], each["name"]) for each in everything(shop, "products")] == [("a", "A"), ("b", "B")]


def test_where_asked_good_rows_are_stored(shop: Shop) -> None:
    text = "sku,name,price\na,A,1\nb,B,x\nc,C,3\n"
    assert counts(bring(shop, "products", text, dry_run=True, partial=True)) == ("done", 2, 0, 0, 1)
    assert everything(shop, "products") == []
    assert counts(bring(shop, "products", text, partial=True)) == ("done", 2, 0, 0, 1)
    assert [each["sku"] for each in everything(shop, "products")] == ["a", "c"]


def test_all_that_is_stored_together_has_one_number(shop: Shop) -> None:
    rows = "".join(f"p{number:04},P,{number}\n" for number in range(2500))
    with reading(shop.resources.engine) as connection:
        before = changes.newest_number(connection)
    assert counts(bring(shop, "products", "sku,name,price\n" + rows)) == ("done", 2500, 0, 0, 0)
    numbered = {before + 1: 2500}
    assert _numbers(shop) == numbered
    # Stock alone is no change of what is offered.
    bring(shop, "products", "sku,stock\np0001,7\n")
    assert _numbers(shop) == numbered
    assert catalog.read(shop.resources, "p0001").stock == 7
    # Stored as far as they are good, a thousand at a time.
    changed = "".join(f"p{number:04},Pot,{number}\n" for number in range(2500))
    bring(shop, "products", "sku,name,price\n" + changed, partial=True)
    assert sorted(_numbers(shop).values()) == [500, 1000, 1000]


def _numbers(shop: Shop) -> dict[int, int]:
    with reading(shop.resources.engine) as connection:
        found: dict[int, int] = {}
        for number in connection.execute(select(products.c.changed)).scalars():
            found[number] = found.get(number, 0) + 1
        return found


def test_a_tree_comes_in_any_order(shop: Shop) -> None:
    text = "id,name,parent\nb,B,c\na,A,b\nc,C,\n"
    with reading(shop.resources.engine) as connection:
        before = changes.newest_number(connection)
    assert counts(bring(shop, "categories", text)) == ("done", 3, 0, 0, 0)
    with reading(shop.resources.engine) as connection:
        noted = [(each.subject, each.body) for each in changes.since(connection, before)]
    assert noted == [
        ("c", {"name": "C", "parent": None}),
        ("b", {"name": "B", "parent": "c"}),
        ("a", {"name": "A", "parent": "b"}),
    ]
    wrong = bring(shop, "categories", "id,name,parent\nc,C,a\nd,D,zz\ne,E,d\nf,F,\n", partial=True)
    assert errors(wrong) == [
        (2, "parent", "cycle"),
        (3, "parent", "unknown_category"),
        (4, "parent", "unknown_category"),
    ]
    assert [(each["id"], each["parent"]) for each in everything(shop, "categories")] == [
        ("a", "b"),
        ("b", "c"),
        ("c", None),
        ("f", None),
    ]


NO_SUCH_FILES = (
    (b"", 422, "missing"),
    (b"name,price\na,1\n", 422, "missing"),
    (b"sku,color\na,1\n", 422, "unknown_column"),
    (b"sku,name,sku\na,1,b\n", 422, "repeated"),
    (b"sku,name\n\xff\xfe,1\n", 400, "not_utf8"),
    (b'sku,name\n"a,1\n', 400, "not_csv"),
    (b'sku,name\n"a"b,1\n', 400, "not_csv"),
)


def test_what_is_no_such_file_is_refused(api: Api) -> None:
    for data, status, code in NO_SUCH_FILES:
        problem = api.send("POST", "/products.csv", content=data).json()
        told = set(fields_of(problem).values()) if status == 422 else {problem["type"].rpartition(":")[2]}
        assert (problem["status"], code in told) == (status, True), (data, problem)
    assert api.get("/imports")["items"] == []


def test_a_file_comes_and_goes_over_http(api: Api, shop: Shop) -> None:
    text = "sku,name,price\r\nkettle,'=Kettle,100\r\n"
    dry = sent(api, "products", text, "?dry_run=true")
    assert (dry["state"], dry["created"], dry["dry_run"]) == ("done", 1, True)
    api.get("/products/kettle", 404)
    done = sent(api, "products", text)
    assert (done["state"], done["created"], done["sheet"], done["rows_total"]) == ("done", 1, "products", 1)
    assert api.get(f"/imports/{done['id']}") == done
    assert api.get("/products/kettle")["name"] == "=Kettle"
    problem = api.send("POST", "/products.csv", content="sku,name,price\na,A,1\nb,B,x\n")
    assert problem.status_code == 422
    assert problem.json()["errors"][0]["row"] == 3
    assert problem.json()["error_count"] == 1
    assert [each["state"] for each in api.get("/imports")["items"]] == ["refused", "done", "done"]
    # One record of each import that stored anything.
    (logged,) = api.get("/audit?action=import")["items"]
    assert (logged["kind"], logged["subject"]) == ("product", done["id"])
    assert (logged["after"]["created"], logged["after"]["errors"]) == (1, 0)
    file = api.send("GET", "/products.csv")
    assert file.headers["content-type"].startswith("text/csv")
    assert file.text.splitlines()[1].startswith("kettle,'=Kettle,100,")
    api.get("/imports/none", 404)
