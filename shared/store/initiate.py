"""`python -m shared.store.initiate URL`: make a lone mongod a one-node replica set, and return when it is primary."""

import sys
import time
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

_ALREADY_INITIALIZED = 23
_DEADLINE_S = 30.0


def initiate(url: str) -> None:
    """Initiate and wait for the election. Idempotent. Raises TimeoutError after 30 s."""
    deadline = time.monotonic() + _DEADLINE_S
    host = urlsplit(url).netloc.rpartition("@")[2]
    client: MongoClient[dict[str, Any]] = MongoClient(
        f"mongodb://{host}/", directConnection=True, serverSelectionTimeoutMS=int(_DEADLINE_S * 1000)
    )
    while time.monotonic() < deadline:
        try:
            _ask(client, host)
            if client.admin.command("hello")["isWritablePrimary"]:
                client.close()
                return
        except PyMongoError:
            pass  # mongod may still be starting; the deadline bounds this
        time.sleep(0.02)
    message = f"mongod at {host} did not become primary within {_DEADLINE_S:g} s"
    raise TimeoutError(message)


def _ask(client: "MongoClient[dict[str, Any]]", host: str) -> None:
    try:
        client.admin.command("replSetInitiate", {"_id": "shoal", "members": [{"_id": 0, "host": host}]})
    except OperationFailure as error:
        if error.code != _ALREADY_INITIALIZED:
            raise
        _move(client, host)


def _move(client: "MongoClient[dict[str, Any]]", host: str) -> None:
    """A set of one that was made on another port does not know itself until it is told where it is."""
    found: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    if len(found["members"]) == 1 and found["members"][0]["host"] != host:
        found["members"][0]["host"] = host
        found["version"] += 1
        client.admin.command("replSetReconfig", found, force=True)


if __name__ == "__main__":
    initiate(sys.argv[1])
