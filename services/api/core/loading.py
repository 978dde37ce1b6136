"""Sources of plugins, loaded from a URL: looked at before they are made a function of, and kept nowhere."""

from typing import TYPE_CHECKING, NamedTuple

from services.api.config import Api
from services.api.core.github import raw_url, suggested_name
from services.api.core.rights import must_keep_plugins
from services.api.core.rooms import Room
from shared.config import Platform
from shared.domain.caller import Caller
from shared.domain.problem import Problem

if TYPE_CHECKING:
    from shared.egress.documents import Documents

_AT_ONCE = 32  # in this process, each with up to `load_bytes` twice over
_OF_ONE = 4  # of them for one tenant: it takes eight to keep a ninth waiting
_FOUND = 200
_ERRORS = range(400, 600)


class Loaded(NamedTuple):
    """A source, and what a function of it might be called."""

    name: str
    content: str


class UpstreamRefused(Problem):
    """Whoever keeps the source did not give it out. `status` is what he answered, 400 to 599."""

    def __init__(self, status: int) -> None:
        super().__init__("unavailable", "Failed to fetch the function")
        self.status = status


class Loading:
    """Loads sources over https, from GitHub's pages or from where they are. The HTTP client comes with the first."""

    def __init__(self, platform: Platform, settings: Api) -> None:
        self._platform = platform
        self._settings = settings
        self._documents: Documents | None = None
        self._room = Room("URLs are being loaded", at_once=_AT_ONCE, of_one=_OF_ONE)

    async def load(self, caller: Caller, url: str) -> Loaded:
        """The text at this URL, for one who may make plugins.

        Raises UpstreamRefused, and Problem(forbidden, invalid, rate_limited, unavailable): in the field `url` where it
        is the address that is not to be asked.
        """
        must_keep_plugins(caller)
        address = raw_url(url.strip())
        with self._room.taken(caller.tenant):
            status, body = await self._opened().fetch(address, field="url")
        if status in _ERRORS:
            raise UpstreamRefused(status)
        if status != _FOUND:
            raise Problem("unavailable", f"The URL answered {status}, and not with a function")
        return Loaded(suggested_name(address), _text(body))

    def _opened(self) -> "Documents":
        from shared.egress.documents import Documents

        if self._documents is None:
            settings = self._settings
            self._documents = Documents(
                self._platform, most_bytes=settings.load_bytes, within_s=settings.load_timeout_s
            )
        return self._documents

    async def close(self) -> None:
        """Close what is open."""
        if self._documents is not None:
            await self._documents.close()


def _text(body: bytes) -> str:
    try:
        text = body.decode("utf-8-sig")  # the mark that some editors begin a file with would hide its first line
    except UnicodeDecodeError:
        raise Problem("invalid", "What is at the URL is not UTF-8 text") from None
    if not text:
        raise Problem("invalid", "No data received from the URL")
    return text
