"""Which tenant a host name speaks of: `acme.shoal.example.org` of acme, where the domain is `shoal.example.org`."""

import re

from shared.domain.problem import Problem
from shared.domain.tenant import is_tenant_slug

_MAX_HOST = 253
_LABELS = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")
_PORT = re.compile(r":[0-9]{0,5}$")
_IPV6 = re.compile(r"\[[0-9a-f:.]{2,45}\]")
NO_SUCH_TENANT = "Not found"


def normal(host: str) -> str:
    """A host as it is compared: in small letters, without a port or a last dot. Raises Problem(invalid).

    Names in other scripts come as `xn--` labels or not at all.
    """
    name = _PORT.sub("", host.lower())
    if _IPV6.fullmatch(name):
        return name
    name = name.removesuffix(".")
    if len(name) > _MAX_HOST or not _LABELS.fullmatch(name):
        raise Problem("invalid", "The Host header is not the name of a host")
    return name


def tenant_of(host: str, domain: str) -> str | None:
    """The tenant that the host names; None where it names none. Raises Problem(not_found, invalid).

    A name below the domain that cannot be a tenant's is the name of nothing.
    """
    if not domain:
        return None
    label = normal(host).removesuffix(f".{domain}")
    if label in (domain, normal(host)):
        return None
    if not is_tenant_slug(label):
        raise Problem("not_found", NO_SUCH_TENANT)
    return label
