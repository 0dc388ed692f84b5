"""A teller for tests of lanes without a web app."""

from __future__ import annotations

from typing import Any

from gateway.admission.admit import Decision
from gateway.admission.batch import Lane
from gateway.admission.flight import Click
from gateway.admission.outcome import LETTERS


class Told:
    """A teller whose askers are futures of decisions."""

    def tell(self, lane: Lane, clicks: list[Click], letters: bytes, details: list[Any]) -> None:
        for each, letter, detail in zip(clicks, letters.decode(), details, strict=True):
            self.tell_all(lane, [each], Decision(LETTERS[letter], detail))

    def tell_all(self, lane: Lane, clicks: list[Click], decision: Decision) -> None:
        for each in clicks:
            if not each.asker.cancelled():
                each.asker.set_result(decision)
