"""`python -m shared.store.initiate HOST:PORT USER KEY_FILE PASSWORD_FILE`: make a lone mongod usable.

It becomes a replica set of one that knows where it is, and has the user that the services are. Returns when it is
primary. There is no bound on the time: mongod may read its journals first, and who has started us ends us with it.
"""

import sys
import time
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


def initiate(host: str, *, user: str, key: str, password: str) -> None:
    """Idempotent. Raises OperationFailure when mongod does not know the key."""
    # The members of a set are one user to each other, whose password is the key: it needs no entry in the database,
    # so it can say who the others are, and where the set is, before there is any.
    client: Client = MongoClient(
        f"mongodb://{host}/",
        username="__system",
        password=key,
        authSource="local",
        directConnection=True,
        serverSelectionTimeoutMS=_TRY_MS,
    )
    with client:
        while not _done(client, host, user=user, password=password):
            time.sleep(_PAUSE_S)


def _done(client: Client, host: str, *, user: str, password: str) -> bool:
    try:
        _form(client, host)
        if not client.admin.command("hello")["isWritablePrimary"]:
            return False
        _admit(client, user, password)
    except OperationFailure as error:
        if error.code in _REFUSED:
            raise
        return False
    except PyMongoError:
        return False  # mongod is still starting
    return True


def _form(client: Client, host: str) -> None:
    try:
        client.admin.command("replSetInitiate", {"_id": "shoal", "members": [{"_id": 0, "host": host}]})
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        _move(client, host)


def _move(client: Client, host: str) -> None:
    """A set of one that was made on another port does not know itself until it is told where it is."""
    found: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    if len(found["members"]) == 1 and found["members"][0]["host"] != host:
        found["members"][0]["host"] = host
        found["version"] += 1
        client.admin.command("replSetReconfig", found, force=True)


def _admit(client: Client, user: str, password: str) -> None:
    try:
        client.admin.command("createUser", user, pwd=password, roles=list(_ROLES))
    except OperationFailure as error:
        if error.code != _USER_EXISTS:
            raise


def _word(path: str) -> str:
    return Path(path).read_text().strip()


if __name__ == "__main__":
    host, user, key_file, password_file = sys.argv[1:]
    try:
        initiate(host, user=user, key=_word(key_file), password=_word(password_file))
    except OperationFailure as refusal:
        sys.exit(f"mongod at {host} does not take the key {key_file}: {refusal}")
