"""Where the objects of a source are, for what an event does not say of them."""

from collections import OrderedDict

from services.triggers.kind import World
from services.triggers.kinds.s3.aws import S3
from services.triggers.kinds.s3.heads import Head, HeadObject
from services.triggers.kinds.s3.sources import Opened
from shared.domain.event_source import PollConfig, S3Access, SqsConfig
from shared.store.event_sources import Key

_MOST = 64  # storages at hand: a client is half a megabyte, and some connections


class Storages:
    """The storages of sources, opened by their first question and kept while their settings stay. To be closed."""

    def __init__(self, world: World) -> None:
        self._platform = world.service.platform
        self._at_once = world.settings.source_heads
        self._open: OrderedDict[Key, tuple[int, S3]] = OrderedDict()  # with the revision; longest unused first

    def head_of(self, opened: Opened) -> HeadObject | None:
        """Asks for the head of an object of this source; None where the source says nobody to ask."""
        if _access(opened) is None:
            return None

        async def head(bucket: str, key: str, version_id: str) -> Head | None:
            return await self._of(opened).head(bucket, key, version_id)

        return head

    def close(self, key: Key | None = None) -> None:
        """Close that of one source, or all."""
        for one in [key] if key is not None else list(self._open):
            _, storage = self._open.pop(one, (0, None))
            if storage is not None:
                storage.close()

    def _of(self, opened: Opened) -> S3:
        key, revision = (opened.source.tenant, opened.source.id), opened.source.revision
        known = self._open.get(key)
        if known is not None and known[0] >= revision:
            self._open.move_to_end(key)
            return known[1]
        self.close(key)
        self._make_room()
        access, secret = _access(opened) or (S3Access(), "")
        storage = S3(access, secret, self._platform, most=self._at_once)
        self._open[key] = (revision, storage)
        return storage

    def _make_room(self) -> None:
        """Close those that are longest unused; one that is being asked is kept, for its source would fail."""
        spare = len(self._open) - _MOST + 1
        idle = [key for key, (_, storage) in self._open.items() if storage.is_idle] if spare > 0 else []
        for key in idle[:spare]:
            self.close(key)


def _access(opened: Opened) -> tuple[S3Access, str] | None:
    """How to ask, and the secret that goes with it."""
    config, secrets = opened.config, opened.secrets
    secret = secrets.get("s3_secret_access_key", "")
    if isinstance(config, PollConfig) or config.s3 is not None:
        access = config.s3
        return None if access is None else (access, secret)
    if isinstance(config, SqsConfig):
        return config.access, secrets.get("secret_access_key", "")
    return None
