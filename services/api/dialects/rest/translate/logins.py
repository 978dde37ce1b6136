"""Between logins and their bodies. Pure."""

from services.api.core.logins import Pair
from services.api.dialects.rest.wire import logins as wire


def pair(pair: Pair) -> wire.Pair:
    """The two tokens of a login."""
    return wire.Pair(access=pair.access, refresh=pair.refresh)


def app_pair(pair: Pair) -> wire.AppPair:
    """The same, with who it is."""
    account = pair.account
    person = wire.Person(
        id=account.id, display=account.full_name or account.username, username=account.username, email=account.email
    )
    return wire.AppPair(
        data=wire.Data(user=person),
        meta=wire.AppMeta(session_token=pair.access, access_token=pair.access, refresh_token=pair.refresh),
    )
