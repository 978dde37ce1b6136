"""Which uploads a trigger is for, and which keys may be made of which."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.matching import Wanted, wanted
from services.triggers.kinds.s3.stems import made_of, stem
from shared.domain.function import Function
from shared.domain.trigger import Trigger, check_triggers

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def function(*triggers: Trigger, id: int = 7) -> Function:
    return Function(
        id=id,
        tenant="acme",
        app=1,
        app_slug="shop",
        app_name="Shop",
        name="thumbs",
        slug="thumbs",
        execution_mode="app",
        triggers=triggers,
        created_at=NOW,
        updated_at=NOW,
    )


def event(key: str = "in/a.png", **fields: Any) -> ObjectEvent:
    return ObjectEvent(**{"teller": "t", "name": "ObjectCreated:Put", "bucket": "uploads", "key": key, **fields})


@pytest.mark.parametrize(
    ("told", "is_for"),
    [
        (event(), True),
        (event("in/"), True),
        (event("in"), False),
        (event("In/a.png"), False),
        (event("other/in/a.png"), False),
        (event(bucket="upload"), False),
        (event(bucket="uploads2"), False),
        (event(bucket="Uploads"), False),
        (event(name="ObjectCreated:Copy"), True),
        (event(name="ObjectRemoved:Delete"), False),
    ],
)
def test_bucket_and_prefix(told: ObjectEvent, is_for: bool) -> None:
    assert Wanted("uploads", "in/", ()).is_for(told) is is_for


def test_no_prefix_is_every_key() -> None:
    assert Wanted("uploads", "", ()).is_for(event("whatever"))


@pytest.mark.parametrize(
    ("asked", "told", "takes"),
    [
        ("image/png", "image/png", True),
        ("image/png", "IMAGE/PNG", True),
        ("Image/Png", "image/png; charset=binary", True),
        ("image/png;q=1", "image/png", True),
        ("image/*", "image/svg+xml", True),
        ("image/*", "imageless/png", False),
        ("image/*", "image", True),
        ("*/*", "text/plain", True),
        ("image/png", "image/pngx", False),
        ("image/png", "image/jpeg", False),
        ("text/plain", "", False),
    ],
)
def test_content_types(asked: str, told: str, takes: bool) -> None:
    assert Wanted("uploads", "", (asked,)).takes(told) is takes
    assert Wanted("uploads", "", ("a/b", asked, "c/d")).takes(told) is takes
    assert Wanted("uploads", "", ()).takes(told)


def test_the_config_of_a_function() -> None:
    given = Trigger("s3_upload", {"bucket": "uploads", "contentTypes": ["image/*"]})
    (checked,) = check_triggers([given])
    assert wanted(function(Trigger("http", {}), checked)) == Wanted("uploads", "", ("image/*",))
    assert wanted(function(Trigger("http", {}))) is None
    assert wanted(function(Trigger("s3_upload", {"bucket": "uploads"}, enabled=False))) is None


@pytest.mark.parametrize(
    ("key", "prefix", "left"),
    [
        ("in/a.png", "in/", "a"),
        ("in/a.tar.gz", "in/", "a.tar"),
        ("in/log.2026-01-31", "in/", "log.2026-01-31"),
        ("in/v1.2", "in/", "v1.2"),
        ("in/.gitignore", "in/", ".gitignore"),
        ("in/", "in/", "in/"),
        ("a/b.d/c", "", "a/b.d/c"),
    ],
)
def test_stems(key: str, prefix: str, left: str) -> None:
    assert stem(key, prefix) == left


@pytest.mark.parametrize(
    ("former", "later"),
    [
        ("in/a.png", "in/a.png"),
        ("in/a.png", "in/a.jpg"),
        ("in/a.png", "in/a-thumb.png"),
        ("in/a.png", "in/thumb-a.png"),
        ("in/a.png", "in/thumbs/a.png"),
        ("in/a.png", "in/a.png.gz"),
        ("in/a.png", "in/a/1.png"),
        ("in/2026/a.png", "in/out/2026/a.png"),
        ("in/a", "in/ab"),
        ("in/photo1.png", "in/photo1_small.png"),
        ("in/ü b.png", "in/x ü b.png"),
    ],
)
def test_keys_that_may_be_made_of_another_one(former: str, later: str) -> None:
    assert stem(former, "in/") in set(made_of(later, "in/"))


@pytest.mark.parametrize(
    ("former", "later"),
    [
        ("in/a.png", "in/b.png"),
        ("in/anna/avatar.png", "in/bert/avatar.png"),
        ("in/page-1.png", "in/page-2.png"),
        ("in/log.2026-01-30", "in/log.2026-01-31"),
        ("in/a-thumb.png", "in/a.png"),
        ("in/one.png", "in/phone.png"),
    ],
)
def test_keys_that_are_not(former: str, later: str) -> None:
    assert stem(former, "in/") not in set(made_of(later, "in/"))


def test_the_longest_key_has_few_hundred_stems() -> None:
    assert len(set(made_of("a-" * 512, ""))) < 300
    assert next(made_of("in/a.png", "in/")) == "a"
