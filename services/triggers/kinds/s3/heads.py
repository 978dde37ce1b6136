"""What an object's storage says of it, where its event does not."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Head(NamedTuple):
    """The answer to HeadObject. `metadata` are the uploader's words, names in small letters."""

    content_type: str
    metadata: Mapping[str, str]


class HeadObject(Protocol):
    """Asks an object's storage for its head, within a bound. Raises SourceFault where that cannot be had."""

    async def __call__(self, bucket: str, key: str, version_id: str) -> Head | None:
        """The head, or None where the object is gone."""
        ...
