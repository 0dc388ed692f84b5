"""The tree of categories: who is below whom, and which parents are possible."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import CTE, Select, literal, select

from admin.catalog.tables import categories
from admin.errors import FieldError

DEPTH_MAX = 16
"""Levels of the tree, the root's included."""


def family(root: str) -> Select[tuple[str]]:
    """The ids of a category and all its descendants. The root need not be in the tree: then it stands alone."""
    below: CTE = select(literal(root).label("id")).cte("family", recursive=True)
    # UNION, not UNION ALL: each once, so the walk ends whatever is stored.
    below = below.union(select(categories.c.id).join(below, categories.c.parent == below.c.id))
    return select(below.c.id)


def wrong_parents(parents: Mapping[str, str | None]) -> dict[str, FieldError]:
    """What is wrong in a tree, given as each category's parent: by category, those that hang on a wrong one too."""
    wrong: dict[str, FieldError] = {}
    depths: dict[str, int] = {}
    for start in parents:
        path: dict[str, None] = {}
        each: str | None = start
        while each is not None and each not in depths and each not in wrong and each not in path:
            path[each] = None
            each = parents.get(each)
        if each is not None and each in path:
            names = list(path)
            ring = names[names.index(each) :]
            shown = " > ".join([*reversed(ring), ring[-1]])
            wrong |= dict.fromkeys(ring, FieldError("parent", "cycle", f"would be its own ancestor: {shown}"))
        for name in reversed(path):
            _judge(name, parents, wrong, depths)
    return wrong


def _judge(
    name: str, parents: Mapping[str, str | None], wrong: dict[str, FieldError], depths: dict[str, int]
) -> None:
    if name in wrong or name not in parents:
        return
    parent = parents[name]
    if parent is None:
        depths[name] = 1
    elif parent in depths:
        depths[name] = depths[parent] + 1
        if depths[name] > DEPTH_MAX:
            wrong[name] = FieldError("parent", "too_deep", f"at most {DEPTH_MAX} levels")
    elif parent in wrong:
        wrong[name] = FieldError("parent", "unknown_category", f"the category {parent} cannot be stored")
    else:
        wrong[name] = FieldError("parent", "unknown_category", f"there is no category {parent}")
