"""The services as they are in a container: the source is there, and no package of that name is installed."""

import subprocess
import sys

from shared.config import SERVICES

AS_IN_A_CONTAINER = """
import importlib
import importlib.metadata as metadata
import sys

known = metadata.distribution

def distribution(name):
    if name == "shoal":
        raise metadata.PackageNotFoundError(name)
    return known(name)

metadata.distribution = distribution
for module in sys.argv[1:]:
    importlib.import_module(module)
"""


def test_every_service_is_imported_without_an_installed_package() -> None:
    modules = ["cli.__main__", *(f"services.{name}.__main__" for name in SERVICES)]
    done = subprocess.run(
        [sys.executable, "-c", AS_IN_A_CONTAINER, *modules], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
