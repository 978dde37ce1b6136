"""What writes plugins, put together as the API does it, with smaller bounds."""

from typing import NamedTuple

from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.examining import Examining
from services.api.core.history import History
from services.api.core.plugin_writing import Beside, PluginWriting
from services.api.core.removal import Removal
from services.api.core.sources import Sources
from shared.app_directory import AppDirectory
from shared.bus.broker import Bus
from shared.secrets import Keyring
from shared.store.client import Store

CODE_BYTES = 20_000
_WAIT_S = 20


class Parts(NamedTuple):
    """The parts of the core that plugins, their versions, their valves and their syncs have in common."""

    directory: Directory
    beside: Beside
    writing: PluginWriting


def parts(bus: Bus, store: Store, keyring: Keyring, *, most: int) -> Parts:
    directory, history = Directory(bus, store, believed_s=30), History(store)
    beside = Beside(
        Apps(store, AppDirectory(bus, store, believed_s=30)),
        Sources(bus, store, code_bytes=CODE_BYTES, wait_s=_WAIT_S),
        Examining(bus, keyring, wait_s=_WAIT_S),
        Removal(store, directory, history=history, forgotten_s=60),
        history,
    )
    return Parts(directory, beside, PluginWriting(store, directory, keyring, beside=beside, most=most))
