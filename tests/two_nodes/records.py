"""`records.py STORE SLUG`: the invocations of a function as JSON; run within the nodes' network."""

import json
import sys
from typing import Any

from pymongo import MongoClient

if __name__ == "__main__":
    store, slug = sys.argv[1:]
    with MongoClient[dict[str, Any]](store, serverSelectionTimeoutMS=20_000) as client:
        fields = ("_id", "status", "executor")
        found = client["shoal"]["invocations"].find({"function_slug": slug}, fields)
        print(json.dumps([[str(row.get(field, "")) for field in fields] for row in found]))
