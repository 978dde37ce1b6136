"""`python -m shared.store.initiate HOST:PORT[,…] USER KEY_FILE PASSWORD_FILE`: make mongod usable, or several.

They become a replica set that knows where it is, and has the user that the services are. Returns when one of them is
primary. There is no bound on the time: mongod may read its journals first, and who has started us ends us with it.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

_ALREADY_INITIALIZED = 23
_USER_EXISTS = 51003
_REFUSED = frozenset({13, 18})  # Unauthorized, AuthenticationFailed: the folder's key is not the server's
_ROLES = ("readWriteAnyDatabase", "dbAdminAnyDatabase")
_PAUSE_S = 0.02
_TRY_MS = 2000

Client = MongoClient[dict[str, Any]]


def initiate(hosts: list[str], *, user: str, key: str, password: str) -> None:
    """Idempotent. The first host tells the others. Raises OperationFailure when mongod does not know the key."""
    with ExitStack() as stack:
        members = [stack.enter_context(_as_member(host, key)) for host in hosts]
        while not _tried(lambda: _form(members[0], hosts)):
            time.sleep(_PAUSE_S)
        while not any(_tried(partial(_admit, member, user, password)) for member in members):
            time.sleep(_PAUSE_S)


def _as_member(host: str, key: str) -> Client:
    # The members of a set are one user to each other, whose password is the key: it needs no entry in the database,
    # so it can say who the others are, and where the set is, before there is any.
    return MongoClient(
        f"mongodb://{host}/",
        username="__system",
        password=key,
        authSource="local",
        directConnection=True,
        serverSelectionTimeoutMS=_TRY_MS,
    )


def _tried(step: Callable[[], bool]) -> bool:
    """Whether it is done; not while mongod is still starting."""
    try:
        return step()
    except OperationFailure as error:
        if error.code in _REFUSED:
            raise
    except PyMongoError:
        pass
    return False


def _form(client: Client, hosts: list[str]) -> bool:
    members = [{"_id": number, "host": host} for number, host in enumerate(hosts)]
    try:
        client.admin.command("replSetInitiate", {"_id": "shoal", "members": members})
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        if len(hosts) == 1:
            _move(client, hosts[0])
    return True


def _move(client: Client, host: str) -> None:
    """A set of one that was made on another port does not know itself until it is told where it is."""
    found: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    if len(found["members"]) == 1 and found["members"][0]["host"] != host:
        found["members"][0]["host"] = host
        found["version"] += 1
        client.admin.command("replSetReconfig", found, force=True)


def _admit(client: Client, user: str, password: str) -> bool:
    """Make the services' user, where this one is the primary."""
    if not client.admin.command("hello")["isWritablePrimary"]:
        return False
    try:
        client.admin.command("createUser", user, pwd=password, roles=list(_ROLES), writeConcern={"w": "majority"})
    except OperationFailure as error:
        if error.code != _USER_EXISTS:
            raise
    return True


def _word(path: str) -> str:
    return Path(path).read_text().strip()


if __name__ == "__main__":
    hosts, user, key_file, password_file = sys.argv[1:]
    try:
        initiate(hosts.split(","), user=user, key=_word(key_file), password=_word(password_file))
    except OperationFailure as refusal:
        sys.exit(f"mongod at {hosts} does not take the key {key_file}: {refusal}")
