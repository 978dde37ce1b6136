"""The sheet of an audit: every task that has not ended on record, and what was seen of it so far.

In SQLite's own memory, and on disk where it is more than that: a platform may have millions of tasks in its queues.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

Place = Literal["", "queued", "running", "scheduled", "buried"]

_MEMORY_KIB = 32 << 10
_AT_ONCE = 1000
_COLUMNS = """task_id TEXT PRIMARY KEY, tenant TEXT, function TEXT, status TEXT, attempts INT, first INT, command INT,
 event INT, place TEXT"""


class Row(NamedTuple):
    """A task. `status` is that on record, empty where there is no record, `attempts` of its tries have ended.

    `first` and `command` are the sequences of its first and its last command, `event` that of its end; 0 for none.
    """

    task_id: str
    tenant: str
    function: str
    status: str
    attempts: int
    first: int
    command: int
    event: int
    place: Place


class Sheet:
    """Open tasks by their ids. What is said of a task that is not on it changes nothing."""

    def __init__(self) -> None:
        self._sql = sqlite3.connect("", isolation_level=None)
        self._sql.execute(f"PRAGMA cache_size = -{_MEMORY_KIB}")
        self._sql.execute("PRAGMA synchronous = OFF")
        self._sql.execute(f"CREATE TABLE tasks ({_COLUMNS}) WITHOUT ROWID")
        self._sql.execute("CREATE TABLE buried (sequence INT PRIMARY KEY) WITHOUT ROWID")
        self._sql.execute("BEGIN")

    def close(self) -> None:
        """Throw it away."""
        self._sql.close()

    def add(self, rows: Iterable[Row]) -> None:
        """Write these down; of one that is there, the last command, and that it is on record."""
        self._sql.executemany(
            "INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id) DO UPDATE SET"
            " command = max(command, excluded.command), first = max(first, excluded.first)",
            rows,
        )

    def has(self, task_ids: Iterable[str]) -> dict[str, Row]:
        """Those of the tasks that are on it, at most some thousands."""
        wanted = list(task_ids)
        marks = ",".join("?" * len(wanted))
        found = self._sql.execute(f"SELECT * FROM tasks WHERE task_id IN ({marks})", wanted)  # noqa: S608 - marks alone
        return {row[0]: Row(*row) for row in found}

    def place(self, places: Iterable[tuple[str, Place]]) -> None:
        """This is where these tasks are."""
        self._sql.executemany("UPDATE tasks SET place = ? WHERE task_id = ?", ((place, id) for id, place in places))

    def bury(self, sequences: Iterable[int]) -> None:
        """These commands could not be read: they are dead letters."""
        self._sql.executemany("INSERT OR IGNORE INTO buried VALUES (?)", ((sequence,) for sequence in sequences))
        self._sql.execute("UPDATE tasks SET place = 'buried' WHERE command IN (SELECT sequence FROM buried)")

    def end(self, ends: Iterable[tuple[str, int]]) -> None:
        """These tasks have ended by the events of these sequences; of several ends the first one counts."""
        self._sql.executemany(
            "UPDATE tasks SET event = ?1 WHERE task_id = ?2 AND (event = 0 OR event > ?1)",
            ((event, id) for id, event in ends),
        )

    def retried(self, tries: Iterable[tuple[str, int]]) -> None:
        """So many tries of these tasks have ended."""
        self._sql.executemany(
            "UPDATE tasks SET attempts = max(attempts, ?) WHERE task_id = ?", ((number, id) for id, number in tries)
        )

    def update(self, states: Iterable[tuple[str, str, int]]) -> None:
        """The record says now: this status, and so many tries have ended."""
        self._sql.executemany(
            "UPDATE tasks SET status = ?, attempts = max(attempts, ?) WHERE task_id = ?",
            ((status, attempts, id) for id, status, attempts in states),
        )

    def remove(self, task_ids: Iterable[str]) -> None:
        """These need not be looked at any more."""
        self._sql.executemany("DELETE FROM tasks WHERE task_id = ?", ((id,) for id in task_ids))

    def rows(self, *, homeless: bool = False) -> Iterator[list[Row]]:
        """All of them, by pages; `homeless` those that have neither ended nor a place. What is read may be changed."""
        last = ""
        only = "event = 0 AND place = '' AND" if homeless else ""
        query = f"SELECT * FROM tasks WHERE {only} task_id > ? ORDER BY task_id LIMIT {_AT_ONCE}"  # noqa: S608 - ours
        while page := [Row(*row) for row in self._sql.execute(query, (last,))]:
            yield page
            last = page[-1].task_id
