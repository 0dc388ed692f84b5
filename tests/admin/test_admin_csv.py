"""Given CSV files of a shop, what is exported can be imported, and errors are told by row."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import select, update

from admin import changes, cli
from admin.catalog import service as catalog
from admin.catalog.tables import products
from admin.errors import Conflict
from admin.members import service as members
from admin.sheets import cells, exporting, files, importing, record
from admin.sheets.importing import Interrupted, Order
from admin.sheets.jobs import Importing
from admin.sheets.record import Progress
from admin.sheets.registry import SHEETS
from admin.sheets.tables import imports
from gateway.orders.database import reading, writing
from gateway.settings import Settings
from tests.conftest import wait_until


def order_of(sheet: str, text: str | bytes, **about: Any) -> Order:
    data = text.encode() if isinstance(text, str) else text
    file = io.BytesIO(data)
    return Order(SHEETS[sheet], file, files.survey(SHEETS[sheet], file), ACTOR, **about)


def bring(shop: Shop, sheet: str, text: str | bytes, **about: Any) -> Progress:
    """Import a file."""
    order = order_of(sheet, text, **about)
    progress = importing.begin(shop.resources.engine, order)
    importing.run(shop.resources.engine, order, progress)
    return progress


def counts(progress: Progress) -> tuple[str, int, int, int, int]:
    return progress.state, progress.made, progress.changed, progress.unchanged, progress.error_count


def errors(progress: Progress) -> list[tuple[int, str, str]]:
    return [(each.row, each.field, each.code) for each in progress.errors]


def exported(shop: Shop, sheet: str, *, mark: bool = False) -> bytes:
    with exporting.export(shop.resources, SHEETS[sheet], mark=mark) as file:
        file.seek(0)
        return file.read()


def everything(shop: Shop, sheet: str) -> list[dict[str, Any]]:
    gone = {"revision", "created_at_ms", "updated_at_ms", "changed"}
    with reading(shop.resources.engine) as connection:
        rows = connection.execute(select(SHEETS[sheet].table)).all()
    return [{name: value for name, value in row._mapping.items() if name not in gone} for row in rows]


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
    text = "id,name,parent\nc,C,b\nb,B,a\na,A,\n"
    with reading(shop.resources.engine) as connection:
        before = changes.newest_number(connection)
    assert counts(bring(shop, "categories", text)) == ("done", 3, 0, 0, 0)
    with reading(shop.resources.engine) as connection:
        noted = [(each.subject, each.body) for each in changes.since(connection, before)]
    assert noted == [
        ("a", {"name": "A", "parent": None}),
        ("b", {"name": "B", "parent": "a"}),
        ("c", {"name": "C", "parent": "b"}),
    ]
    wrong = bring(shop, "categories", "id,name,parent\na,A,c\nd,D,zz\ne,E,d\nf,F,\n", partial=True)
    assert errors(wrong) == [
        (2, "parent", "cycle"),
        (3, "parent", "unknown_category"),
        (4, "parent", "unknown_category"),
    ]
    assert [(each["id"], each["parent"]) for each in everything(shop, "categories")] == [
        ("a", None),
        ("b", "a"),
        ("c", "b"),
        ("f", None),
    ]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "missing"),
        (b"name,price\na,1\n", "missing"),
        (b"sku,color\na,1\n", "unknown_column"),
        (b"sku,name,sku\na,1,b\n", "repeated"),
        (b"sku,name\n\xff\xfe,1\n", "not_utf8"),
        (b'sku,name\n"a,1\n', "not_csv"),
        (b'sku,name\n"a"b,1\n', "not_csv"),
    ],
)
def test_what_is_no_such_file_is_refused(api: Api, data: bytes, code: str) -> None:
    reply = api.send("POST", "/products.csv", content=data)
    problem = reply.json()
    told = set(fields_of(problem).values()) if reply.status_code == 422 else {problem["type"].rpartition(":")[2]}
    assert code in told
    assert reply.status_code == (400 if code.startswith("not_") else 422)
    assert api.get("/imports")["items"] == []


def sent(api: Api, sheet: str, text: str, query: str = "", status: int = 200) -> Any:
    reply = api.send("POST", f"/{sheet}.csv{query}", content=text)
    assert reply.status_code == status, reply.text
    return reply.json()


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


def test_a_long_file_is_imported_after_the_reply(api: Api) -> None:
    text = "sku,name,price\n" + "".join(f"p{number:04},P,1\n" for number in range(1500))
    begun = sent(api, "products", text, status=202)
    assert begun["rows_total"] == 1500
    path = f"/imports/{begun['id']}"
    done = wait_until(lambda: (found := api.get(path))["state"] != "running" and found, what="the import")
    assert (done["state"], done["created"], done["rows_done"], done["problem"]) == ("done", 1500, 1500, None)
    wrong = sent(api, "products", text.replace("p0700,P,1", "p0700,P,x"), status=202)
    path = f"/imports/{wrong['id']}"
    done = wait_until(lambda: (found := api.get(path))["state"] != "running" and found, what="the import")
    assert (done["state"], done["error_count"], done["changed"]) == ("refused", 1, 0)
    assert [(each["row"], each["field"]) for each in done["errors"]] == [(702, "price")]


def test_too_much_is_refused(api: Api, settings: Settings, portal: Any, shop: Shop) -> None:
    text = "id,name\n" + "".join(f"c{number},C\n" for number in range(10_001))
    problem = api.send("POST", "/categories.csv", content=text)
    assert fields_of(problem.json()) == {"": "too_many_rows"}
    with Api(replace(settings, csv_max_bytes=1000), portal) as small:
        assert small.send("POST", "/products.csv", content=text).status_code == 413
        sent(small, "products", "sku,name,price\na,A,1\n")
    wrong = "sku,name,price\n" + "".join(f"p{number},P,x\n" for number in range(300))
    progress = bring(shop, "products", wrong)
    assert (progress.error_count, len(progress.errors)) == (300, 200)


def test_an_import_whose_process_stops_leaves_nothing_behind(shop: Shop) -> None:
    """Or, as far as good rows were asked for, what its record says."""
    text = "sku,name,price\n" + "".join(f"p{number:04},P,1\n" for number in range(3000))

    def stop(progress: Progress) -> None:
        # In the middle of storing; all rows are judged by then.
        if progress.made >= 2000:
            raise Interrupted

    assert counts(bring(shop, "products", text, told=stop)) == ("interrupted", 0, 0, 0, 0)
    assert everything(shop, "products") == []
    assert counts(bring(shop, "products", text, told=stop, partial=True)) == ("interrupted", 2000, 0, 0, 0)
    assert len(everything(shop, "products")) == 2000
    with reading(shop.resources.engine) as connection:
        states = connection.execute(select(imports.c.state, imports.c.made).order_by(imports.c.made)).all()
    assert [tuple(each) for each in states] == [("interrupted", 0), ("interrupted", 2000)]


def test_what_waits_in_line_when_the_process_stops_is_interrupted(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("sku,name,price\na,A,1\n")
    line = Importing(shop.resources)
    with path.open("rb") as file:
        order = Order(SHEETS["products"], file, files.survey(SHEETS["products"], file), ACTOR)
        progress = line.put(order)
    line.stop()
    assert record.read(shop.resources, progress.id).state == "interrupted"
    assert everything(shop, "products") == []


def test_an_import_that_has_long_been_silent_is_interrupted(shop: Shop) -> None:
    progress = importing.begin(shop.resources.engine, order_of("products", "sku,name,price\na,A,1\n"))
    assert record.read(shop.resources, progress.id).state == "running"
    with writing(shop.resources.engine) as connection:
        connection.execute(update(imports).values(updated_at_ms=shop.now_ms() - record.SILENT_MS - 1000))
    assert record.read(shop.resources, progress.id).state == "interrupted"


def test_units_promised_after_judging_are_kept(shop: Shop) -> None:
    """A sale is published between judging and storing: the import is refused as a whole."""
    sku = shop.product(stock=50)
    text = f"sku,name,price,stock\nnew,New,1,1\n{sku},K,1,10\n"

    def publish(progress: Progress) -> None:
        if progress.rows_done == 2 and not progress.made:
            shop.campaign(items=[{"sku": sku, "stock": 40}], rule={"price": 1})

    progress = bring(shop, "products", text, told=_once(publish))
    assert (counts(progress), errors(progress)) == (("refused", 0, 0, 0, 1), [(3, "stock", "below_reserved")])
    assert [each["sku"] for each in everything(shop, "products")] == [sku]
    assert catalog.read(shop.resources, sku).stock == 50


def _once(step: Callable[[Progress], None]) -> Callable[[Progress], None]:
    waiting = [step]

    def told(progress: Progress) -> None:
        if waiting:
            waiting.pop()(progress)

    return told


def test_a_row_somebody_else_makes_meanwhile_fails_the_import(shop: Shop) -> None:
    """Only where writers work at once; on SQLite nobody comes in between."""
    if shop.resources.engine.dialect.name == "sqlite":
        return
    storing, made = threading.Event(), threading.Event()

    def told(progress: Progress) -> None:
        if progress.made:
            storing.set()
            made.wait(10)

    def make() -> None:
        storing.wait(10)
        with writing(shop.resources.engine) as connection:
            values = {
                "sku": "a",
                "name": "A",
                "price": 1,
                "stock": 0,
                "tags": [],
                "gift_only": False,
                "on_sale": True,
            }
            stamps = {"revision": 1, "created_at_ms": 1, "updated_at_ms": 1}
            connection.execute(products.insert().values(**values, **stamps))
        made.set()

    thread = threading.Thread(target=make)
    thread.start()
    order = order_of("products", "sku,name,price\na,Mine,1\n", told=told)
    progress = importing.begin(shop.resources.engine, order)
    with pytest.raises(Conflict, match="import the file again"):
        importing.run(shop.resources.engine, order, progress)
    thread.join()
    assert record.read(shop.resources, progress.id).state == "failed"
    assert catalog.read(shop.resources, "a").name == "A"


def test_the_command_imports_and_says_what_came_of_it(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECKILL_DATABASE_URL", shop.resources.settings.database_url)
    path = tmp_path / "products.csv"

    def command(text: str, *options: str, sheet: str = "products") -> tuple[int, str, str]:
        path.write_text(text)
        return cli.main(["import", sheet, str(path), *options]), *capsys.readouterr()

    good, bad = "sku,name,price\na,A,1\n", "sku,name,price\na,A,1\nb,B,x\n"
    code, told, bar = command(good, "--dry-run")
    assert (code, told) == (0, "nothing was stored (dry run); it would be: 1 created, 0 changed, 0 unchanged\n")
    assert "1/1" in bar
    assert command(good)[:2] == (0, "imported: 1 created, 0 changed, 0 unchanged, 0 errors\n")
    code, told, _ = command(bad)
    assert code == 1
    assert told.startswith("row 3: price: want a whole number")
    assert told.endswith("nothing was imported: 1 errors in 2 rows\n")
    code, told, complaint = command(good, sheet="members")
    assert (code, told) == (2, "")
    assert "shopper: the first row must name columns" in complaint
    path.unlink()
    assert cli.main(["import", "products", str(path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
