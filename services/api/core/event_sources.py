"""Event sources as their owners see them: made, listed, shown, changed, deleted, and given another token."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.api.core import source_settings
from services.api.core.rights import must_develop, must_read
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import SourceChanged
from shared.domain.caller import Caller
from shared.domain.event_source import ID_DIGITS, ID_LENGTH, ID_PREFIX, EventSource, SourceKind, source_place
from shared.domain.problem import Problem, wrong
from shared.domain.trigger import SHOWN_SECRET
from shared.secrets import Keyring
from shared.store import event_sources as stored
from shared.store.client import Store
from shared.store.objects_seen import ObjectsSeen

_TRIES = 20  # each is lost only to another change of the same source in the same moment
_TOKEN_PREFIX = "shoal_src_"  # noqa: S105 - what a token begins with
_TOKEN_BYTES = 32
_COLLECTION = stored.COLLECTION

Secrets = Mapping[str, str | None]
"""Values by name; a None deletes, `***` stands for what is kept."""


class SourceDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A source to be."""

    name: str
    kind: SourceKind
    enabled: bool
    config: dict[str, Any]
    secrets: dict[str, str]


class EventSources:
    """What can be done with sources. Every method raises Problem(forbidden, unavailable). `most` of one tenant."""

    def __init__(self, bus: Bus, store: Store, keyring: Keyring, *, most: int) -> None:
        self._bus = bus
        self._store = store
        self._keyring = keyring
        self._most = most

    async def create(self, caller: Caller, draft: SourceDraft) -> tuple[EventSource, str]:
        """Add a source; with the token that was made for it, shown this once, empty where none was.

        Raises Problem(invalid).
        """
        must_develop(caller)
        given, token = dict(draft.secrets), ""
        if source_settings.has_token(draft.kind, draft.config) and "token" not in given:
            given["token"] = token = _new_token()
        for name, value in given.items():
            if value == SHOWN_SECRET:
                raise _not_kept(name)
        config = source_settings.checked(draft.kind, draft.config, given)
        owned = self._of(caller)
        if await owned.count() >= self._most:
            raise self._too_many()
        id, now = await self._store.next_id(_COLLECTION), datetime.now(UTC)
        source = EventSource(
            id=id,
            tenant=caller.tenant,
            public_id=ID_PREFIX + "".join(secrets.choice(ID_DIGITS) for _ in range(ID_LENGTH)),
            name=draft.name,
            kind=draft.kind,
            enabled=draft.enabled,
            config=config,
            secrets=self._sealed(caller.tenant, id, given),
            created_at=now,
            updated_at=now,
        )
        try:
            await owned.insert(source)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            raise wrong("name", f"An event source named '{source.name}' exists already") from None
        if await owned.count() > self._most:  # others were made in the same moment
            await owned.delete(source.name)
            raise self._too_many()
        await self._announce(source, revision=source.revision)
        return source, token

    async def listed(self, caller: Caller, *, limit: int, skip: int) -> tuple[int, Sequence[EventSource]]:
        """How many there are, and a part of them by name."""
        must_read(caller)
        owned = self._of(caller)
        return await owned.count(), await owned.listed(limit=limit, skip=skip)

    async def shown(self, caller: Caller, name: str) -> EventSource:
        """One source. Raises Problem(not_found)."""
        must_read(caller)
        return await self._named(caller, name)

    async def change(
        self,
        caller: Caller,
        name: str,
        *,
        enabled: bool | None = None,
        config: dict[str, Any] | None = None,
        given: Secrets | None = None,
    ) -> EventSource:
        """Set what is given: a config as a whole, secrets one by one. Raises Problem(not_found, invalid, conflict)."""
        must_develop(caller)
        for _ in range(_TRIES):
            now = await self._named(caller, name)
            kept = self._merged(now, given or {})
            wanted = source_settings.checked(now.kind, now.config if config is None else config, kept)
            if source_settings.has_token(now.kind, wanted) and "token" not in kept:
                raise wrong("secrets.token", "secrets.token is required: have one made by rotate-token, or send one")
            then = msgspec.structs.replace(
                now,
                enabled=now.enabled if enabled is None else enabled,
                config=wanted,
                secrets=kept,
                revision=now.revision + 1,
                updated_at=datetime.now(UTC),
            )
            changed = await self._of(caller).replace(then)
            if changed is not None:
                await self._announce(changed, revision=changed.revision)
                return changed
        raise Problem("conflict", f"The event source '{name}' is being changed by others; try again in a moment")

    async def rotate_token(self, caller: Caller, name: str) -> tuple[EventSource, str]:
        """Another token, which alone is good from now on. Raises Problem(not_found, invalid, conflict)."""
        must_develop(caller)
        source = await self._named(caller, name)
        if not source_settings.has_token(source.kind, source.config):
            raise Problem("invalid", f"Those who tell the event source '{name}' of events show no token")
        token = _new_token()
        return await self.change(caller, name, given={"token": token}), token

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove a source, and what it has seen. Raises Problem(not_found)."""
        must_develop(caller)
        gone = await self._of(caller).delete(name)
        if gone is None:
            raise _unknown(name)
        await self._announce(gone, revision=0)
        await ObjectsSeen(self._store, tenant=gone.tenant, source_id=gone.id).forget_all()

    def _too_many(self) -> Problem:
        return Problem("invalid", f"There are {self._most} event sources already; delete one first")

    async def _named(self, caller: Caller, name: str) -> EventSource:
        found = await self._of(caller).by_name(name)
        if found is None:
            raise _unknown(name)
        return found

    def _of(self, caller: Caller) -> stored.EventSources:
        return stored.EventSources(self._store, caller.tenant)

    def _merged(self, source: EventSource, given: Secrets) -> dict[str, str]:
        """What is sealed already with the changes in it. Raises Problem(invalid, unavailable)."""
        kept = {name: text for name, text in source.secrets.items() if given.get(name, "") is not None}
        for name, value in given.items():
            if value == SHOWN_SECRET and name not in kept:
                raise _not_kept(name)
        new = {name: value for name, value in given.items() if value is not None and value != SHOWN_SECRET}
        _check_values(new)
        return {**kept, **self._sealed(source.tenant, source.id, new)}

    def _sealed(self, tenant: str, id: int, values: Mapping[str, str]) -> dict[str, str]:
        _check_values(values)
        return {
            name: self._keyring.seal(value.encode(), place=source_place(tenant, id, name))
            for name, value in values.items()
        }

    async def _announce(self, source: EventSource, *, revision: int) -> None:
        notice = SourceChanged(tenant=source.tenant, source_id=source.id, revision=revision)
        await self._bus.send(subjects.source(source.tenant, source.id), notice)


def _check_values(values: Mapping[str, str]) -> None:
    token = values.get("token")
    if token is not None and len(token) < source_settings.MIN_TOKEN:
        message = f"secrets.token must have at least {source_settings.MIN_TOKEN} characters"
        raise wrong("secrets.token", message)


def _new_token() -> str:
    return _TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)


def _not_kept(name: str) -> Problem:
    field = f"secrets.{name}"
    return wrong(
        field, f"{field} is '{SHOWN_SECRET}', and none is kept that it could stand for; send the secret itself"
    )


def _unknown(name: str) -> Problem:
    return Problem("not_found", f"Event source '{name[:100]}' not found")
