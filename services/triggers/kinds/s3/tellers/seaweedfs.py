"""Entries of SeaweedFS's filer, as its webhook tells them: files of the buckets, and much that is no upload."""

import hashlib
from typing import Any

from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from services.triggers.kinds.s3.tellers import fields
from services.triggers.kinds.s3.tellers.fields import Fields

TELLER = "seaweedfs"
_ROOT = "/buckets/"
_NAMES = {"create": "Put", "update": "Put", "rename": "Rename"}
_DIRECTORY = 1 << 31
_PARTS = ".uploads/"
_VERSIONS, _VERSION = ".versions/", "v_"
_MULTIPART = "CompleteMultipartUpload"
_META = "x-amz-meta-"
_MAX_EXTENDED = 200
_NS, _US = 1_000_000_000, 1_000_000
_VERSION_ID, _ETAG, _DELETED = "Seaweed-X-Amz-Version-Id", "Seaweed-X-Amz-ETag", "Seaweed-X-Amz-Delete-Marker"


def uploads(told: Fields) -> list[ObjectEvent]:
    """The upload, where it is one. Raises Malformed."""
    happened = _NAMES.get(fields.text(told, "event_type"))
    message = fields.maybe(told, "message")
    entry = fields.maybe(message, "new_entry")
    if happened is None or not entry or _is_folder(entry) or _is_unchanged(message, entry):
        return []
    extended = fields.maybe(entry, "extended")
    bucket, key = _place(told, message, entry)
    if bucket.startswith(".") or key.startswith(_PARTS) or not key or _DELETED in extended:
        return []
    folder, _, name = key.rpartition("/")
    version = fields.decoded(extended.get(_VERSION_ID)) if f"{folder}/".endswith(_VERSIONS) else ""
    if version and name.startswith(_VERSION):
        key = folder.removesuffix(_VERSIONS[:-1])
    attributes = fields.maybe(entry, "attributes")
    return [
        ObjectEvent(
            teller=TELLER,
            name=CREATED + (_MULTIPART if "-" in (etag := _etag(entry)) and happened == "Put" else happened),
            bucket=fields.bucket({"name": bucket}),
            key=fields.key({"key": key}),
            size=_size(entry),
            etag=etag,
            content_type=fields.text(attributes, "mime"),
            version_id="" if version == "null" else version,
            at=_at(entry),
            metadata=_metadata(extended),
            record=told,
        )
    ]


def _place(told: Fields, message: Fields, entry: Fields) -> tuple[str, str]:
    """The bucket and the key in it, where it landed; two empty texts for what is in no bucket."""
    folder = message.get("new_parent_path")
    name = entry.get("name")
    path = f"{folder}/{name}" if isinstance(folder, str) and isinstance(name, str) else told.get("key")
    if not isinstance(path, str) or not path.startswith(_ROOT):
        return "", ""
    bucket, _, key = path.removeprefix(_ROOT).partition("/")
    return bucket, key


def _is_folder(entry: Fields) -> bool:
    mode = fields.maybe(entry, "attributes").get("file_mode")
    return bool(entry.get("is_directory")) or (isinstance(mode, int) and bool(mode & _DIRECTORY))


def _is_unchanged(message: Fields, entry: Fields) -> bool:
    """An update of what stands beside the object: its tags, or that there is a newer version."""
    former = fields.maybe(message, "old_entry")
    return bool(former) and _place({}, message, former) == _place({}, message, entry) and _of(former) == _of(entry)


def _of(entry: Fields) -> tuple[Any, ...]:
    """What is another in every upload."""
    files = [chunk.get("fid") or chunk.get("file_id") for chunk in _chunks(entry)]
    return files, _etag(entry), entry.get("content"), _seconds(fields.maybe(entry, "attributes"))


def _chunks(entry: Fields) -> list[Fields]:
    found = entry.get("chunks")
    return [chunk for chunk in found if isinstance(chunk, dict)] if isinstance(found, list) else []


def _size(entry: Fields) -> int:
    return max(0, fields.size(fields.maybe(entry, "attributes"), "file_size"))  # an empty file has none


def _seconds(attributes: Fields) -> int:
    return fields.size(attributes, "mtime")


def _at(entry: Fields) -> str:
    """The second that a listing shows; closer where the last chunk was written in it."""
    seconds = _seconds(fields.maybe(entry, "attributes"))
    written = max((fields.size(chunk, "modified_ts_ns") for chunk in _chunks(entry)), default=-1)
    in_it = written // _NS == seconds
    # Whole microseconds: nanoseconds are more than a float holds, and would be rounded into the next second.
    return fields.stamp_of(written // 1000 / _US if in_it else seconds)


def _etag(entry: Fields) -> str:
    """As the S3 door says it: what is kept of the upload, else the file's MD5, else what its chunks make."""
    kept = fields.decoded(fields.maybe(entry, "extended").get(_ETAG)).strip('"')
    md5 = fields.maybe(entry, "attributes").get("md5")
    return kept or fields.hexed(md5) or _of_chunks([fields.hexed(chunk.get("e_tag")) for chunk in _chunks(entry)])


def _of_chunks(tags: list[str]) -> str:
    if len(tags) <= 1:
        return "".join(tags)
    digest = hashlib.md5(bytes.fromhex("".join(tags)), usedforsecurity=False).hexdigest()
    return f"{digest}-{len(tags)}"


def _metadata(extended: Fields) -> dict[str, str]:
    """Base64, under the names of their headers."""
    if len(extended) > _MAX_EXTENDED:
        return {}
    told = {name: fields.decoded(value) for name, value in extended.items() if name.lower().startswith(_META)}
    return fields.metadata(told, prefix=_META)
