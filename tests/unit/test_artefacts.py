"""Compiled code by hash: made once for all who ask, and counted once."""

import asyncio
from types import SimpleNamespace

from services.executor.artefacts import Artefacts
from services.executor.mode import Artefact, Refusal
from shared.domain.version import CompileError


class Made(Artefacts):
    """Artefacts whose making is counted and can be held up."""

    def __init__(self, cache_bytes: int = 100) -> None:
        super().__init__(None, SimpleNamespace(compiler="c"), cache_bytes=cache_bytes)  # type: ignore[arg-type]
        self.made = 0
        self.go = asyncio.Event()
        self.refused = False

    async def _from_store(self, tenant: str, code_hash: str) -> Artefact | Refusal:
        self.made += 1
        await self.go.wait()
        return Refusal([CompileError(1, "no")]) if self.refused else Artefact("c", b"x" * 40)


async def test_made_once_for_all_even_if_the_first_to_ask_gives_up():
    artefacts = Made()
    asking = [asyncio.create_task(artefacts.load("t", "a")) for _ in range(10)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.wait({asking[0]})
    artefacts.go.set()
    assert {made.data for made in await asyncio.gather(*asking[1:])} == {b"x" * 40}
    await artefacts.load("t", "a")
    assert artefacts.made == 1


async def test_a_refusal_is_shared_and_not_remembered():
    artefacts = Made()
    artefacts.refused = True
    artefacts.go.set()
    both = await asyncio.gather(artefacts.load("t", "a"), artefacts.load("t", "a"))
    assert all(isinstance(made, Refusal) for made in both)
    assert artefacts.made == 1
    artefacts.refused = False
    assert isinstance(await artefacts.load("t", "a"), Artefact)
    assert artefacts.made == 2


async def test_bytes_are_counted_once():
    artefacts = Made(cache_bytes=100)
    for _ in range(5):
        artefacts._keep(("t", "a"), Artefact("c", b"x" * 40))
    assert artefacts._held_bytes == 40
    artefacts._keep(("t", "b"), Artefact("c", b"x" * 40))
    artefacts._keep(("t", "c"), Artefact("c", b"x" * 40))
    assert artefacts._held_bytes == 80
    assert [key for _, key in artefacts._cache] == ["b", "c"]
