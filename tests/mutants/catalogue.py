"""Mutations: each breaks one promise in one place, and names the tests that must turn red.

`old` occurs exactly once in its file (a test holds that, so a mutation cannot rot unseen).
"""

from __future__ import annotations

from tests.mutants import sale, shop

MUTATIONS = (*sale.MUTATIONS, *shop.MUTATIONS)
