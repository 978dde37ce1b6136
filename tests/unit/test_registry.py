"""The list of system functions, as the services without their code know it."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared import registry
from shared.domain.function import SYSTEM_ID
from shared.system import Context, system_function
from tests.system import package


def test_a_system_function_is_every_tenants_and_has_no_id_of_its_own() -> None:
    found = registry.WITHOUT_PACKAGES.function("acme", "send_notification")
    assert found is not None
    assert (found.id, found.tenant, found.pool) == (SYSTEM_ID, "acme", "system")
    assert registry.WITHOUT_PACKAGES.function("acme", "calculate-tax") is None


def test_names_are_read_without_importing_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.install(tmp_path, "loud", modules={"loud": "raise SystemExit(1)"}, entries={"loud-one": "loud:one"})
    package.install(tmp_path, "torn", modules={}, entries={"two\nthree": "torn:two"})
    monkeypatch.syspath_prepend(str(tmp_path))
    found = registry.read()
    assert "loud-one" in found
    assert "loud" not in sys.modules
    assert ("torn", True) in {(refused.package, "cannot be read" in refused.reason) for refused in found.refused}


def test_router_and_api_do_not_load_the_functions(tmp_path: Path) -> None:
    look = "import sys, services.router.handlers, services.api.app; print('aiosmtplib' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"max_retries": -1}, {"params": dict}])
def test_wrong_metadata_is_refused_where_it_is_written(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        system_function(**wrong)  # type: ignore[arg-type]


async def test_a_decorated_function_can_be_called_by_its_own_tests() -> None:
    @system_function()
    async def doubled(params: dict[str, int], context: Context) -> int:
        """Twice as much."""
        context.log("doubling")
        return params["n"] * 2

    context = Context(task_id="t", tenant="acme", function="doubled")
    assert await doubled({"n": 21}, context) == 42
    assert doubled.description == "Twice as much."
    assert [line.message for line in context.lines] == ["doubling"]
