"""The modes of execution: the only list of them."""

from collections.abc import Awaitable, Callable

from services.executor.mode import Mode, Opening
from services.executor.modes.javascript import mode as javascript
from services.executor.modes.proxy import mode as proxy
from services.executor.modes.python import mode as python
from services.executor.modes.system import mode as system

OPEN: dict[str, Callable[[Opening], Awaitable[Mode]]] = {
    "python": python.open_for,
    "javascript": javascript.open_for,
    "proxy": proxy.open_for,
    "system": system.open_for,
}
