"""Thirty classes of valves, each a source that defines `Valves`, and values for it."""

from tests.python_mode.valves import classes, edges, fields
from tests.python_mode.valves.corpus import VALVES

__all__ = ["VALVES", "classes", "edges", "fields"]
