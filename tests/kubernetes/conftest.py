"""Fixtures: the overlays, built once, and each of them."""

import pytest

from tests.kubernetes.built import OVERLAYS, Built, build


@pytest.fixture(scope="session")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    return build(tmp_path_factory.mktemp("manifests"))


@pytest.fixture(params=OVERLAYS)
def built(request: pytest.FixtureRequest, overlays: dict[str, Built]) -> Built:
    return overlays[request.param]
