"""Given imports under way, whatever happens to them, their record is true and nothing is stored by halves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from imported import bring, counts, errors, everything, order_of, sent
from sidecar import ACTOR, Api, Shop, fields_of
from sqlalchemy import select, update

from admin import cli
from admin.catalog import service as catalog
from admin.catalog.tables import products
from admin.errors import Conflict
from admin.sheets import files, importing, record
from admin.sheets.importing import Interrupted, Order
from admin.sheets.jobs import Importing
from admin.sheets.record import Progress
from admin.sheets.registry import SHEETS
from admin.sheets.tables import imports
from gateway.orders.database import reading, writing
from gateway.settings import Settings
from tests.conftest import wait_until


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
