"""What an object's storage says of it, where its event does not."""

from collections.abc import Mapping
from typing import Protocol


class Head(Protocol):
    """The answer to HeadObject."""

    @property
    def content_type(self) -> str:
        """As its uploader said; empty where that was nothing."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """The uploader's words."""
        ...


class HeadObject(Protocol):
    """Asks an object's storage for its head, within a bound. Raises SourceFault where that cannot be had."""

    async def __call__(self, bucket: str, key: str, version_id: str, /) -> Head | None:
        """The head, or None where the object is gone."""
        ...
