"""Several writes of one tenant that all happen, or none of them does."""

import asyncio
from collections.abc import Iterable
from typing import NamedTuple

from shared.store.client import Batch, Document, Store


class Insert(NamedTuple):
    """A document to add; the tenant is added to it."""

    collection: str
    document: Document


class Change(NamedTuple):
    """A change of the one document that matches. One that has to be there: `query` says in which state."""

    collection: str
    query: Document
    change: Document


Write = Insert | Change


async def together(store: Store, tenant: str, writes: Iterable[Write]) -> bool:
    """Make all the writes at once; False, and none of them, where somebody else was faster.

    That is: a change found nothing, a key was taken, or one of the documents is being written by others. Then the
    writes are to be thought of anew, from what is there by now. Of one collection all changes come before what is
    added. Raises Problem(unavailable): then they happened, or did not.
    """
    wanted: dict[str, Batch] = {}
    for write in writes:
        batch = wanted.setdefault(write.collection, Batch(write.collection, [], []))
        match write:
            case Insert(_, document):
                wanted[write.collection] = batch._replace(inserts=[*batch.inserts, {**document, "tenant": tenant}])
            case Change(_, query, change):
                one = ({**query, "tenant": tenant}, change)
                wanted[write.collection] = batch._replace(changes=[*batch.changes, one])
    writing = asyncio.create_task(store.write_together(list(wanted.values())))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:  # it goes on, and whoever tidies up after us has to know how it ends
        await asyncio.wait([writing])
        _ = writing.cancelled() or writing.exception()
        raise
