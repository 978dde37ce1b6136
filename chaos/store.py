"""Three mongods as a replica set, on loopback."""

import asyncio
import time
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from shared import embedded
from shared.embedded.mongo import Mongo
from shared.embedded.secret import write_private

COUNT = 3
READY_S = 60.0
ELECTION_MS = 3000
"""How long a primary may be silent; the server's default is 10 s."""
_CACHE_GB = 0.25
_TRY_MS = 2000
_PAUSE_S = 0.1
_ALREADY_INITIALIZED = 23
_USER_EXISTS = 51003
_ROLES = ("readWriteAnyDatabase", "dbAdminAnyDatabase", "clusterMonitor")
_SETTLED = frozenset({"PRIMARY", "SECONDARY"})

Client = MongoClient[dict[str, Any]]


class Member(Mongo):
    """One mongod, which waits to be told whom it belongs to."""

    async def _answers(self) -> None:
        await asyncio.to_thread(self._ping)

    def _ping(self) -> None:
        """Until it answers; whoever waits for us hears if it ends instead."""
        until = time.monotonic() + READY_S
        with MongoClient(self.host, directConnection=True, serverSelectionTimeoutMS=_TRY_MS) as client:
            while time.monotonic() < until and self.running:
                try:
                    client.admin.command("hello")
                except PyMongoError:
                    time.sleep(_PAUSE_S)
                else:
                    return

    @property
    def host(self) -> str:
        """Its name in the set."""
        return f"{embedded.LOOPBACK}:{self.port}"


class ReplicaSet:
    """All members, with one key."""

    def __init__(self, folder: Path) -> None:
        self._key, self._password = embedded.secret(folder / "key"), embedded.secret(folder / "password")
        self.members: list[Member] = []
        for number in range(COUNT):
            place = folder / f"store-{number}"
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(place / "key", self._key)
            write_private(place / "password", self._password)
            self.members.append(Member(place, cache_gb=_CACHE_GB))

    @property
    def url(self) -> str:
        """All members, as MONGODB_URL takes them."""
        hosts = ",".join(member.host for member in self.members)
        return f"mongodb://shoal:{self._password}@{hosts}/?replicaSet=shoal&authSource=admin"

    async def start(self) -> None:
        """All side by side; returns when one is primary and the others follow it."""
        await asyncio.gather(*(member.start() for member in self.members))
        await asyncio.to_thread(self._form)
        await self.until_settled()

    async def stop(self) -> None:
        """End all."""
        await asyncio.gather(*(member.stop() for member in self.members))

    async def primary(self) -> Member | None:
        """The member that is primary now, if one is."""
        states = await asyncio.to_thread(self._states)
        return next((member for member in self.members if states.get(member.host) == "PRIMARY"), None)

    async def until_settled(self) -> None:
        """Return when there is a primary, and everybody else is its secondary."""
        async with asyncio.timeout(READY_S):
            while True:
                states = await asyncio.to_thread(self._states)
                if len(states) == COUNT and set(states.values()) == _SETTLED:
                    return
                await asyncio.sleep(_PAUSE_S)

    def _system(self, member: Member) -> Client:
        """As the members speak to each other."""
        return MongoClient(
            member.host,
            username="__system",
            password=self._key,
            authSource="local",
            directConnection=True,
            serverSelectionTimeoutMS=_TRY_MS,
            socketTimeoutMS=_TRY_MS,
        )

    def _states(self) -> dict[str, str]:
        """What each member is, in the eyes of the first one that answers and is not alone with its opinion."""
        for member in self.members:
            if not member.running:
                continue
            try:
                with self._system(member) as client:
                    status = client.admin.command("replSetGetStatus")
            except PyMongoError:
                continue
            found = {one["name"]: one["stateStr"] for one in status["members"]}
            if "PRIMARY" in found.values():
                return found
        return {}

    def _form(self) -> None:
        members = [{"_id": number, "host": member.host} for number, member in enumerate(self.members)]
        settings = {"electionTimeoutMillis": ELECTION_MS}
        with self._system(self.members[0]) as client:
            try:
                client.admin.command("replSetInitiate", {"_id": "shoal", "members": members, "settings": settings})
            except OperationFailure as error:
                if error.code != _ALREADY_INITIALIZED:
                    raise
        until = time.monotonic() + READY_S
        while not any(self._admit(member) for member in self.members):
            if time.monotonic() > until:
                raise embedded.EmbeddedError("the replica set has found no primary")
            time.sleep(_PAUSE_S)

    def _admit(self, member: Member) -> bool:
        """Make the services' user, where this one is the primary."""
        try:
            with self._system(member) as client:
                if not client.admin.command("hello")["isWritablePrimary"]:
                    return False
                majority = {"w": "majority"}
                client.admin.command(
                    "createUser", "shoal", pwd=self._password, roles=list(_ROLES), writeConcern=majority
                )
        except OperationFailure as error:
            return error.code == _USER_EXISTS
        except PyMongoError:
            return False
        return True
