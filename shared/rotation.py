"""What is sealed at rest, all of it: which key sealed how much, and sealing it anew under the first key.

Nothing else of a document is touched, its revision neither: the values are the same, so nobody has to read them again.
A change that somebody makes in the same moment stands: it is compared with what was read.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import msgspec

from shared.domain import credentials
from shared.domain.app import env_place, jwt_secret_place
from shared.domain.callback import secrets_place
from shared.domain.event_source import source_place
from shared.domain.plugin import user_valves_place, valves_place
from shared.domain.trigger import trigger_place
from shared.secrets import Keyring, SealBrokenError, key_of
from shared.store.client import Document, Store
from shared.valves import is_sealed

_AT_ONCE = 200  # documents
_PASSES = 5  # over all of them, while others write what they have read before
_TRIES = 20  # at one document that others change

Change = Callable[[str, str], str]
"""What becomes of a sealed text, and of the place it is sealed for."""


class Sealed(NamedTuple):
    """A field of a collection that holds sealed texts: finds documents that may have some, and changes them.

    `field` may be one of a field, by a dot. `beside` are the others that `changed` reads, beside the tenant and the id.
    """

    collection: str
    field: str
    query: Document
    changed: Callable[[Document, Change], Any]
    beside: tuple[str, ...] = ()


class Fault(msgspec.Struct, frozen=True):
    """What could not be opened, and was left as it is."""

    tenant: str
    collection: str
    id: int
    field: str
    reason: str


class Report(msgspec.Struct, kw_only=True):
    """`resealed` texts by field, as `collection.field`; `left` by field and by the name of the key that sealed them."""

    resealed: Counter[str]
    left: dict[str, Counter[str]]
    faults: list[Fault]

    def under(self, key: str) -> int:
        """How many texts are sealed by this key."""
        return sum(counts[key] for counts in self.left.values())

    @property
    def keys(self) -> list[str]:
        """Every key that sealed something."""
        return sorted({key for counts in self.left.values() for key in counts})


def _auth_config(document: Document, change: Change) -> Any:
    tenant, id = document["tenant"], document["id"]
    return credentials.with_secrets(
        document["auth_config"], lambda where, text: change(text, credentials.place_of(tenant, id, where))
    )


def _env_of_function(document: Document, change: Change) -> Any:
    tenant, id = document["tenant"], document["id"]
    return {key: change(text, env_place("function", tenant, id, key)) for key, text in document["env"].items()}


def _env_of_app(document: Document, change: Change) -> Any:
    tenant, id = document["tenant"], document["id"]
    return {key: change(text, env_place("app", tenant, id, key)) for key, text in document["env"].items()}


def _triggers(document: Document, change: Change) -> Any:
    def changed(trigger: Document) -> Document:
        config = trigger.get("config", {})
        if not config.get("secret"):
            return trigger
        place = trigger_place(document["tenant"], document["id"], trigger["type"])
        return {**trigger, "config": {**config, "secret": change(config["secret"], place)}}

    return [changed(trigger) for trigger in document["triggers"]]


def _end_users(document: Document, change: Change) -> Any:
    users = document["end_users"]
    place = jwt_secret_place(document["tenant"], document["id"])
    return {**users, "jwt_secret": change(users["jwt_secret"], place)}


def _of_source(document: Document, change: Change) -> Any:
    tenant, id = document["tenant"], document["id"]
    return {name: change(text, source_place(tenant, id, name)) for name, text in document["secrets"].items()}


def _valves(document: Document, change: Change) -> Any:
    return _kept_valves(document["plugin"]["valves"], change, valves_place(document["tenant"], document["id"]))


def _user_valves(document: Document, change: Change) -> Any:
    place = user_valves_place(document["tenant"], document["function_id"], document["user_id"])
    return _kept_valves(document["valves"], change, place)


def _of_callbacks(document: Document, change: Change) -> Any:
    return change(document["sealed"], secrets_place(document["tenant"]))


def _kept_valves(text: str, change: Change, place: str) -> str:
    """Some were set when there was no key, and are open."""
    return change(text, place) if is_sealed(text) else text


_SOME: Document = {"$nin": [None, {}]}
SEALED = (
    Sealed("functions", "auth_config", {"auth_config": _SOME}, _auth_config),
    Sealed("functions", "env", {"env": _SOME}, _env_of_function),
    Sealed("functions", "triggers", {"triggers.config.secret": {"$gt": ""}}, _triggers),
    Sealed("apps", "env", {"env": _SOME}, _env_of_app),
    Sealed("apps", "end_users", {"end_users.jwt_secret": {"$gt": ""}}, _end_users),
    Sealed("event_sources", "secrets", {"secrets": _SOME}, _of_source),
    Sealed("functions", "plugin.valves", {"plugin.valves": {"$gt": ""}}, _valves),
    Sealed("user_valves", "valves", {"valves": {"$gt": ""}}, _user_valves, ("function_id", "user_id")),
    Sealed("callback_secrets", "sealed", {"sealed": {"$gt": ""}}, _of_callbacks),
)
"""Every place where something sealed is kept. Whoever seals something new adds it here."""


async def status(store: Store) -> Report:
    """Which keys have sealed what. No key is needed to know."""
    report = Report(resealed=Counter(), left={}, faults=[])
    for sealed in SEALED:
        counts = report.left.setdefault(_name(sealed), Counter())

        def counted(text: str, _: str, counts: Counter[str] = counts) -> str:
            counts[key_of(text)] += 1
            return text

        async for document in _documents(store, sealed):
            sealed.changed(document, counted)
    return report


async def rotate(store: Store, keyring: Keyring) -> Report:
    """Seal all under the first key, as often as it takes. What cannot be opened is left. Raises Problem(unavailable).

    One that was cut short is gone on with by the next: what is sealed by the first key is not looked at.
    """
    resealed: Counter[str] = Counter()
    for _ in range(_PASSES):
        before, faults = resealed.total(), []
        for sealed in SEALED:
            async for document in _documents(store, sealed):
                count, found = await _reseal(store, keyring, sealed, document)
                resealed[_name(sealed)] += count
                faults += found
        if resealed.total() == before:
            break
    report = await status(store)
    return msgspec.structs.replace(report, resealed=resealed, faults=faults)


async def _reseal(store: Store, keyring: Keyring, sealed: Sealed, document: Document) -> tuple[int, list[Fault]]:
    """One document: how many of its texts were sealed anew, and which could not be."""
    latest: Document | None = document
    for _ in range(_TRIES):
        if latest is None or not (held := _held(latest, sealed.field)):
            break
        work = _Work(keyring, sealed, latest)
        changed = sealed.changed(latest, work.change)
        if not work.count:
            return 0, work.faults
        read = {"_id": latest["_id"], sealed.field: {"$eq": held}}
        if await store.global_change(sealed.collection, read, {"$set": {sealed.field: changed}}):
            return work.count, work.faults
        latest = await store.global_one(sealed.collection, {"_id": latest["_id"], **sealed.query})
    return 0, []


class _Work:
    """The texts of one document, one by one."""

    def __init__(self, keyring: Keyring, sealed: Sealed, document: Document) -> None:
        self._keyring = keyring
        self._sealed = sealed
        self._document = document
        self.count = 0
        self.faults: list[Fault] = []

    def change(self, text: str, place: str) -> str:
        """The text sealed by the first key, or as it is."""
        if key_of(text) == self._keyring.first:
            return text
        try:
            plain = self._keyring.unseal(text, place=place)
        except SealBrokenError as error:
            document, (collection, field, *_) = self._document, self._sealed
            self.faults.append(Fault(document["tenant"], collection, document["id"], field, str(error)))
            return text
        self.count += 1
        return self._keyring.seal(plain, place=place)


async def _documents(store: Store, sealed: Sealed) -> AsyncIterator[Document]:
    """Every document that has something sealed there, some at a time, in an order that changes do not disturb."""
    after: Document = {}
    while True:
        query = {**sealed.query, **after}
        fields = ["tenant", "id", sealed.field, *sealed.beside]
        found = await store.global_many(sealed.collection, query, order=[("_id", 1)], limit=_AT_ONCE, fields=fields)
        for document in found:
            yield document
        if len(found) < _AT_ONCE:
            return
        after = {"_id": {"$gt": found[-1]["_id"]}}


def _held(document: Document, field: str) -> Any:
    """What a document has in a field, or in a field of a field; None for nothing."""
    value: Any = document
    for name in field.split("."):
        value = (value or {}).get(name)
    return value


def _name(sealed: Sealed) -> str:
    return f"{sealed.collection}.{sealed.field}"
