"""What a function may ask of the network, and how its `config` says so."""

from typing import Any

import pytest

from shared.domain.egress_policy import Policy
from shared.domain.function import check_config
from shared.domain.problem import Problem
from tests.limits import limits


def allowlist(*hosts: Any) -> Policy:
    return Policy.of({"egress": "allowlist", "egress_hosts": list(hosts)})


def test_nothing_unless_asked_for() -> None:
    assert Policy.of({}) == Policy.of({"egress": "none"}) == Policy()
    assert not Policy().permits("example.org", 443)


def test_the_public_internet_is_any_name() -> None:
    assert Policy.of({"egress": "public"}).permits("example.org", 8443)


@pytest.mark.parametrize(
    ("entry", "host", "port", "permitted"),
    [
        ("example.org", "example.org", 443, True),
        ("example.org", "example.org", 80, True),
        ("example.org", "example.org", 8080, False),
        ("example.org:8080", "example.org", 8080, True),
        ("example.org:8080", "example.org", 443, False),
        ("Example.ORG", "EXAMPLE.org.", 443, True),
        ("example.org", "www.example.org", 443, False),
        ("example.org", "example.org.evil.test", 443, False),
        ("example.org", "notexample.org", 443, False),
        ("*.example.org", "www.example.org", 443, True),
        ("*.example.org", "a.b.example.org", 443, True),
        ("*.example.org", "example.org", 443, False),
        ("*.example.org", "notexample.org", 443, False),
        ("*.example.org:99", "www.example.org", 443, False),
        ("192.0.2.1", "192.0.2.1", 443, True),
        ("192.0.2.1", "192.0.2.10", 443, False),
        ("[2001:DB8::1]:8443", "2001:db8::1", 8443, True),
        ("[2001:db8:0:0::1]", "[2001:db8::1]", 443, True),
        ("a_b.example.org", "a_b.example.org", 443, True),
    ],
)
def test_an_entry_permits_what_it_names(entry: str, host: str, port: int, permitted: bool) -> None:
    assert allowlist("other.test", entry).permits(host, port) == permitted


@pytest.mark.parametrize(
    "entry",
    [
        *(
            "",
            "*",
            "*.",
            "*.*.org",
            "a.*.org",
            "http://example.org",
            "example.org/",
            "user@example.org",
            "a b",
            "-a.org",
        ),
        *("example.org:", "example.org:0", "example.org:65536", "example.org:x", "example..org", ".a.org", "-a.org"),
        *(
            "2001:db8::1",
            "[192.0.2.1]",
            "[::1",
            "1.2.3",
            "2130706433",
            "0x7f.1",
            "*.192.0.2.1",
            "münchen.de",
            "a,b",
            "\0",
        ),
        *("a,b", "\0", "a" * 64 + ".org", ".".join(["a" * 60] * 5), None, 1, ["example.org"]),
    ],
)
def test_what_names_no_host_is_refused(entry: Any) -> None:
    with pytest.raises(Problem) as refused:
        allowlist("good.test", entry)
    assert list(refused.value.fields) == ["config.egress_hosts.1"]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"egress": "all"}, "config.egress"),
        ({"egress": None}, "config.egress"),
        ({"egress": ["public"]}, "config.egress"),
        ({"egress": "allowlist"}, "config.egress_hosts"),
        ({"egress": "allowlist", "egress_hosts": []}, "config.egress_hosts"),
        ({"egress": "allowlist", "egress_hosts": "example.org"}, "config.egress_hosts"),
        ({"egress": "allowlist", "egress_hosts": ["a.test"] * 101}, "config.egress_hosts"),
        ({"egress_hosts": ["http://x"]}, "config.egress_hosts.0"),
    ],
)
def test_a_function_cannot_be_kept_with_nonsense(config: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        check_config(config, limits(), tenant={})
    assert refused.value.code == "invalid"
    assert list(refused.value.fields) == [field]


def test_hosts_may_wait_for_their_policy() -> None:
    assert Policy.of({"egress": "public", "egress_hosts": ["example.org"]}) == Policy("public")
