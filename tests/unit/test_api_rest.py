"""The first dialect's translations and paths, without a server."""

import pytest

from services.api.dialects.rest import decode, execute
from services.api.dialects.rest.execute import Target
from services.api.dialects.rest.translate import pages
from shared.domain.function import RESERVED_SLUGS, free_slug, is_slug, slugify
from shared.domain.problem import Problem


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/functions/x/execute", Target("x", None)),
        ("/api/functions/x/execute/", Target("x", None)),
        ("/api/apps/a/functions/x/execute", Target("x", "a")),
        ("/api/apps/a/functions/x/execute/", Target("x", "a")),
        ("/api/functions/x/execute//", None),
        ("/api/functions/x/execute/y", None),
        ("/api/functions/execute", None),
        ("/api/functions/x/executions/", None),
        ("/api/apps/a/b/functions/x/execute/", None),
    ],
)
def test_targets(path: str, target: Target | None):
    assert execute.target(path) == target


@pytest.mark.parametrize(
    ("url", "skip", "onward", "back"),
    [
        ("http://h/p/", 0, "http://h/p/?page=2", None),
        ("http://h/p/?page=2", 20, "http://h/p/?page=3", "http://h/p/"),
        ("http://h/p/?page=3&search=a+b%26", 40, None, "http://h/p/?search=a+b%26&page=2"),
        ("http://h/p?limit=20&offset=20", 20, "http://h/p?limit=20&offset=40", "http://h/p?limit=20"),
        ("http://h/p?limit=20&offset=5", 5, "http://h/p?limit=20&offset=25", "http://h/p?limit=20"),
    ],
)
def test_pages_beside_a_page(url: str, skip: int, onward: str | None, back: str | None):
    page = pages.page(50, [], url=url, limit=20, skip=skip)
    assert (page.next, page.previous) == (onward, back)


def test_params_stay_as_they_came():
    assert bytes(decode.execute(b'{"params":  {"a" : 1.0e2} , "x": 1}').params) == b'{"a" : 1.0e2}'


@pytest.mark.parametrize("body", [b'{"params": 1}', b'{"async": 1}', b"{", b"[]", b'{"params":{"a":"\xff"}}'])
def test_wrong_calls(body: bytes):
    with pytest.raises(Problem) as raised:
        decode.execute(body)
    assert raised.value.code == "invalid"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Calculate Tax", "calculate-tax"),
        ("  A__b  ", "a-b"),
        ("Ünïcödé ﬁ", "unicode-fi"),
        ("!!!", ""),
        ("x" * 200, "x" * 100),
    ],
)
def test_slugs(name: str, slug: str):
    assert slugify(name) == slug
    assert is_slug(slug) == bool(slug)


def test_free_slugs():
    assert free_slug("a", set()) == "a"
    assert free_slug("a", {"a", "a-2", "a-4"}) == "a-3"
    for reserved in RESERVED_SLUGS:
        assert free_slug(reserved, {f"{reserved}-2"}) == f"{reserved}-3"
