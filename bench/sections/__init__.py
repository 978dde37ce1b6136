"""The parts of the benchmark: each file has `TITLE`, `ORDER` and `async def measure(context) -> Table | None`.

A new part is a new file; it is found, not listed.
"""

import importlib
import pkgutil
from types import ModuleType


def all_sections(only: tuple[str, ...] = ()) -> list[ModuleType]:
    """The sections in the order they are run; with `only`, those of these names. Raises KeyError for one unknown."""
    names = {module.name for module in pkgutil.iter_modules(__path__)}
    if unknown := set(only) - names:
        raise KeyError(f"no section is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(names))}")
    found = [importlib.import_module(f"{__name__}.{name}") for name in only or names]
    return sorted(found, key=lambda section: int(section.ORDER))
