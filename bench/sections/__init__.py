"""The parts of the benchmark: each file has `TITLE`, `ORDER` and `async def measure(context) -> Table | None`.

A new part is a new file; it is found, not listed.
"""

import importlib
import pkgutil
from types import ModuleType


def all_sections() -> list[ModuleType]:
    """The sections in the order they are run."""
    found = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda section: int(section.ORDER))
