"""Where the bus is: one server, or those of a cluster, and who we are to all of them."""

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from faststream.security import SASLPlaintext


class Servers(NamedTuple):
    """Addresses, and the credentials for every server: also for those that the cluster tells of later."""

    addresses: list[str]
    security: SASLPlaintext | None


def servers_of(url: str) -> Servers:
    """The servers in a `NATS_URL`, by commas.

    A cluster tells its clients of all its servers, by address alone. A client that has its user and password only in
    the addresses it was given would come to the others as nobody, be refused, and close its connection for good.
    """
    addresses = [address.strip() for address in url.split(",") if address.strip()]
    parts = [urlsplit(address) for address in addresses]
    first = parts[0] if parts else urlsplit("")
    if first.username is None or first.password is None:
        return Servers(addresses, None)
    bare = [part._replace(netloc=part.netloc.rpartition("@")[2]).geturl() for part in parts]
    return Servers(bare, SASLPlaintext(unquote(first.username), unquote(first.password)))
