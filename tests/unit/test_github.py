"""Pages of GitHub and the text behind them; names for what is loaded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.core.github import raw_url, suggested_name

RAW = "https://raw.githubusercontent.com"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SEGMENT = st.from_regex(re.compile(r"[A-Za-z0-9._-]{1,12}"), fullmatch=True).filter(lambda text: text.strip("."))
PATH = st.lists(SEGMENT, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("github.com/user/repo/blob/main/function.py", "user/repo/refs/heads/main/function.py"),
        ("github.com/user/repo/blob/main/a/b/c.py", "user/repo/refs/heads/main/a/b/c.py"),
        ("github.com/user/repo/tree/main/filters/limit", "user/repo/refs/heads/main/filters/limit/main.py"),
        ("github.com/user/repo/tree/main/filters/limit/", "user/repo/refs/heads/main/filters/limit/main.py"),
        ("github.com/user/repo/tree/main", "user/repo/refs/heads/main/main.py"),
        ("github.com/user/repo/tree/main/", "user/repo/refs/heads/main/main.py"),
        ("github.com/user/repo/tree/feature/x/y", "user/repo/refs/heads/feature/x/y/main.py"),
        ("github.com/user/repo/blob/main/f.py#L3-L9", "user/repo/refs/heads/main/f.py"),
        ("github.com/user/repo/blob/main/f.py?plain=1#L3", "user/repo/refs/heads/main/f.py"),
        ("github.com/user/repo/blob/main/my%20f.py", "user/repo/refs/heads/main/my%20f.py"),
        (f"github.com/user/repo/blob/{COMMIT}/f.py", f"user/repo/{COMMIT}/f.py"),
        ("www.github.com/user/repo/blob/main/f.py", "user/repo/refs/heads/main/f.py"),
        ("GitHub.com:443/User/Repo/blob/Main/F.py", "User/Repo/refs/heads/Main/F.py"),
    ],
)
def test_a_page_is_shown_for_a_text(page: str, text: str) -> None:
    assert raw_url(f"https://{page}") == f"{RAW}/{text}"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/user/repo/blob/main/f.py",
        "https://github.com.example.org/user/repo/blob/main/f.py",
        "https://notgithub.com/user/repo/blob/main/f.py",
        "https://github.com@example.org/user/repo/blob/main/f.py",
        "https://user@github.com/user/repo/blob/main/f.py",
        "https://github.com:8443/user/repo/blob/main/f.py",
        "http://github.com/user/repo/blob/main/f.py",
        "https://github.com/user/repo",
        "https://github.com/user/repo/blob/main",
        "https://github.com/user/repo/blob/main/",
        "https://github.com/user/repo/issues/7/x",
        "https://github.com/user/blob/main/f.py",
        "https://gist.github.com/user/0123/raw/f.py",
        "https://example.org/?u=https://github.com/user/repo/blob/main/f.py",
        f"{RAW}/user/repo/refs/heads/main/f.py?token=1",
        "",
    ],
)
def test_any_other_address_is_left_as_it_is(url: str) -> None:
    assert raw_url(url) == url


@given(names=st.tuples(SEGMENT, SEGMENT, SEGMENT), path=PATH, tail=st.sampled_from(["", "/", "#L1", "?a=/b#c"]))
def test_every_page_leads_to_its_own_repository(names: tuple[str, str, str], path: str, tail: str) -> None:
    owner, repository, branch = names
    for kind, end in (("blob", ""), ("tree", "/main.py")):
        found = raw_url(f"https://github.com/{owner}/{repository}/{kind}/{branch}/{path}{tail}")
        assert found == f"{RAW}/{owner}/{repository}/refs/heads/{branch}/{path}{end}"
        assert raw_url(found) == found
    assert suggested_name(found) == path.rpartition("/")[2]


@given(st.text(max_size=60) | st.text(max_size=40).map("https://github.com/".__add__))
def test_nothing_else_becomes_an_address_of_github(url: str) -> None:
    found = raw_url(url)
    assert found == url or found.startswith(f"{RAW}/")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/functions/rate_limit.py", "rate_limit"),
        ("https://example.org/rate_limit.py/", "rate_limit"),
        ("https://example.org/rate_limit.py?token=a/b.py#x/y", "rate_limit"),
        ("https://example.org/functions/limit/main.py", "limit"),
        ("https://example.org/functions/limit/index.py", "limit"),
        ("https://example.org/functions/limit/__init__.py", "limit"),
        ("https://example.org/functions/limit/Main.py", "Main"),
        ("https://example.org/functions/limit/mainframe.py", "mainframe"),
        ("https://example.org/functions/limit/code.txt", "limit"),
        ("https://example.org/functions/limit/raw", "limit"),
        ("https://example.org/a.b.py", "a.b"),
        ("https://example.org/main.py", "example.org"),
        ("https://example.org/raw", "example.org"),
        ("https://example.org/", ""),
        ("https://example.org", ""),
        ("https://example.org?x=/f.py", ""),
        ("https://example.org//", ""),
        (f"{RAW}/user/repo/refs/heads/main/filters/limit/main.py", "limit"),
        ("nothing of the kind", "function"),
        ("", "function"),
    ],
)
def test_what_a_function_would_be_called(url: str, name: str) -> None:
    assert suggested_name(url) == name


@given(st.text(max_size=60) | st.text(max_size=40).map("https://".__add__))
def test_whatever_it_is_has_a_name(url: str) -> None:
    name = suggested_name(url)
    assert name in {"", "function"} or name in url
    assert "/" not in name
