"""The newest book of this process, kept in step with the record of changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from admin import changes
from admin.quotes.book import Book, catch_up, read_book
from admin.quotes.collector import reading_much
from gateway.orders.database import reading


class Books:
    """Gives out books. The first one is read when it is asked for; each later one is made from the one before.

    Whoever needs the newest asks the database for the number of the newest change and then asks here for a book
    at least as new: a change that was answered is in it, whichever process made it.
    """

    def __init__(self, engine: Engine, currency: str) -> None:
        self._engine = engine
        self._currency = currency
        self._book: Book | None = None
        # Held while a book is made; who only takes the present one needs no lock.
        self._making = threading.Lock()

    def known(self) -> Book:
        """The newest book that this process has."""
        return self._book or self.at_least(0)

    def at_least(self, number: int) -> Book:
        """A book at the change `number` or a later one.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached; the book stays as it was.
        """
        book = self._book
        if book is not None and book.number >= number:
            return book
        with self._making:
            book = self._book
            if book is None or book.number < number:
                self._book = book = self._make(book)
        return book

    def _make(self, book: Book | None) -> Book:
        with one_state(self._engine) as connection:
            if book is not None:
                return catch_up(connection, book)
            with reading_much():
                return read_book(connection, self._currency)

    def fresh(self) -> Book:
        """A book with every change that is answered by now; costs one row.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database cannot be reached.
        """
        with reading(self._engine) as connection:
            number = changes.newest_number(connection)
        return self.at_least(number)


@contextmanager
def one_state(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, in which every statement sees the same state of the database."""
    if engine.dialect.name == "sqlite":
        with reading(engine) as connection:
            yield connection
    else:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            yield connection
