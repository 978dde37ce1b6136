"""Every index, in one place; checked at boot. All begin with the tenant, but for what stands above the tenants."""

from shared.store import apps
from shared.store.client import Document, Store
from shared.store.functions import DELETED
from shared.store.states import UNENDED, UNENDED_INDEX

_BY_END = [("tenant", 1), ("function_id", 1), ("done_at", -1), ("id", -1)]

# collection, keys, unique, name
INDEXES: list[tuple[str, list[tuple[str, int]], bool, str]] = [
    ("users", [("tenant", 1), ("id", 1)], True, "id"),
    ("users", [("tenant", 1), ("username", 1)], True, "username"),
    ("users", [("tenant", 1), ("email", 1)], False, "email"),
    ("tokens", [("tenant", 1), ("id", 1)], False, "id"),
    ("tokens", [("tenant", 1), ("user_id", 1), ("id", 1)], False, "by_user"),
    ("logins", [("tenant", 1), ("id", 1)], True, "id"),
    ("logins", [("tenant", 1), ("user_id", 1), ("created_at", -1)], False, "by_user"),
    ("callback_secrets", [("tenant", 1)], True, "tenant"),
    ("apps", [("tenant", 1), ("slug", 1)], True, "slug"),
    ("apps", [("public_id", 1)], True, "public_id"),
    ("functions", [("tenant", 1), ("slug", 1)], True, "slug"),
    ("functions", [("tenant", 1), ("id", 1)], True, "id"),
    ("functions", [("tenant", 1), ("app_slug", 1), ("id", 1)], False, "app"),
    ("functions", [("tenant", 1), ("created_at", -1), ("id", -1)], False, "newest"),
    ("functions", [("tenant", 1), ("name", 1), ("id", -1)], False, "by_name"),
    ("functions", [("tenant", 1), ("app", 1), ("name", 1), ("id", 1)], False, "by_app_and_name"),
    ("functions", [("tenant", 1), ("triggers.type", 1), ("id", 1)], False, "by_trigger"),
    ("user_valves", [("tenant", 1), ("function_id", 1), ("user_id", 1)], True, "owner"),
    ("pipelines", [("tenant", 1), ("name", 1)], True, "name"),
    ("event_sources", [("tenant", 1), ("id", 1)], True, "id"),
    ("event_sources", [("tenant", 1), ("name", 1)], True, "name"),
    ("event_sources", [("public_id", 1)], True, "public_id"),
    ("versions", [("tenant", 1), ("id", 1)], True, "id"),
    ("versions", [("tenant", 1), ("function_id", 1), ("version", 1)], True, "version"),
    ("versions", [("tenant", 1), ("code_hash", 1)], False, "code"),
    ("versions", [("tenant", 1), ("former", 1)], False, "former"),
    ("sources", [("tenant", 1), ("code_hash", 1)], True, "hash"),
    ("history", [("tenant", 1), ("function_id", 1), ("id", -1)], False, "by_function"),
    ("history", [("tenant", 1), ("slug", 1), ("kind", 1), ("id", -1)], False, "by_slug"),
    ("claims", [("tenant", 1), ("function_id", 1), ("scope", 1), ("key", 1)], True, "key"),
    ("deletions", [("swept", 1)], False, "swept"),
    ("invocations", [("tenant", 1), ("id", -1)], False, "newest"),
    ("invocations", [("tenant", 1), ("function_id", 1), ("status", 1), ("id", -1)], False, "by_function_and_status"),
    ("invocations", [("tenant", 1), ("app_slug", 1), ("status", 1), ("id", -1)], False, "by_app_and_status"),
    ("invocations", [("tenant", 1), ("status", 1), ("id", -1)], False, "by_status"),
    ("invocations", [("tenant", 1), ("user_id", 1), ("id", -1)], False, "by_user"),
    ("invocations", [*_BY_END], False, "by_end"),
    ("metrics", [("tenant", 1), ("function_id", 1)], True, "function"),
    ("ticks", [("tenant", 1), ("function_id", 1), ("due", -1)], False, "by_function"),
    ("attempts", [("tenant", 1), ("function_id", 1), ("at", -1)], False, "by_function"),
    ("milestones", [("tenant", 1), ("generation", 1), ("of", 1), ("rank", 1)], True, "rank"),
    ("milestone_generations", [("tenant", 1)], True, "tenant"),
]

# collection, date after which a document goes by itself
EXPIRING: list[tuple[str, str]] = [
    ("history", "expires_at"),
    ("claims", "expires_at"),
    ("deletions", "expires_at"),
    ("logins", "expires_at"),
    ("ticks", "expires_at"),
    ("attempts", "expires_at"),
    ("invocations", "forget_at"),
]

# collection, field that few documents have: what the schedulers look at next, and which invocations others made
SPARSE: list[tuple[str, str]] = [("functions", "schedule_due"), ("invocations", "parent_task_id")]

# collection, keys, unique, name, and what the few documents match that are in it
PARTIAL: list[tuple[str, list[tuple[str, int]], bool, str, Document]] = [
    ("functions", [("tenant", 1), ("app", 1), ("deployed_as", 1)], True, "deployed_as", {"deployed_as": {"$gt": ""}}),
    ("functions", [("tenant", 1), ("app_slug", 1)], False, "deleted", DELETED),
    ("functions", [("tenant", 1), ("plugin.key", 1)], True, "plugin_key", {"plugin.key": {"$gt": ""}}),
    ("invocations", [*_BY_END], False, "failures_by_end", {"failed": True}),
    ("invocations", [("expires_at", 1)], False, "expires_at", {"status": "PENDING", "expires_at": {"$exists": True}}),
    ("invocations", [("created_at", 1), ("_id", 1)], False, UNENDED_INDEX, UNENDED),  # of all tenants: for the operator
]

# collection, name: what an earlier version had
RETIRED: list[tuple[str, str]] = [("invocations", "by_function")]


async def ensure(store: Store) -> None:
    """Create what is missing. Safe to run by several services at once."""
    await apps.name_all(store)  # an index of ids that are none of their own could not be made
    for collection, keys, unique, name in INDEXES:
        await store.ensure_index(collection, keys, unique=unique, name=name)
    for collection, name in RETIRED:
        await store.drop_index(collection, name)
    for collection, field in EXPIRING:
        sparse = collection == "invocations"  # those that are kept for good are not in it
        await store.ensure_index(collection, [(field, 1)], name=field, expires=True, sparse=sparse)
    for collection, keys, unique, name, only in PARTIAL:
        await store.ensure_index(collection, keys, unique=unique, name=name, only=only)
    for collection, field in SPARSE:
        await store.ensure_index(collection, [(field, 1)], name=field, sparse=True)
