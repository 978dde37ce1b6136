"""Sockets whose clients take too little: what waits for all of them is bounded."""

from typing import Any

from services.triggers.kinds.websocket.backlog import Backlog
from services.triggers.kinds.websocket.socket import Socket


class Line:
    """One whose client takes nothing."""

    is_choked = True

    def __init__(self) -> None:
        self.backlog = 0
        self.code = 0

    def send(self, framed: bytes) -> None:
        self.backlog += len(framed)

    def end(self, code: int, reason: str) -> None:
        self.code = code


class Host:
    def __init__(self, backlog: Backlog) -> None:
        self.backlog = backlog


def sockets(count: int, backlog: Backlog) -> list[Any]:
    made: list[Any] = [Socket(Host(backlog), None, None) for _ in range(count)]  # type: ignore[arg-type]
    for socket in made:
        socket.line = Line()
    return made


async def test_one_that_takes_nothing_has_its_own_bound() -> None:
    (socket,) = sockets(1, Backlog(each_bytes=1000, all_bytes=10_000))
    for _ in range(20):
        socket.push(b"x" * 100)
    assert (socket.line.backlog, socket.line.code) == (1100, 1013)


async def test_very_many_that_take_nothing_share_what_there_is() -> None:
    backlog = Backlog(each_bytes=1000, all_bytes=10_000)
    slow = sockets(100, backlog)
    for _ in range(20):
        for socket in slow:
            socket.push(b"x" * 100)
    assert sum(socket.line.backlog for socket in slow) <= 2 * 10_000  # with what each had before all were behind
    assert all(socket.line.code == 1013 for socket in slow)


async def test_who_has_caught_up_leaves_its_share_to_the_others() -> None:
    backlog = Backlog(each_bytes=1000, all_bytes=1000)
    quick, slow = sockets(2, backlog)
    quick.push(b"x")
    slow.push(b"x" * 600)
    quick.drained()
    slow.push(b"x")
    assert (len(backlog), slow.line.code) == (1, 0)
