"""Whether the valves that a plugin has set fit the code that it is to have."""

from services.api.core import plugin_values
from services.api.core.examining import Examining
from shared import valves
from shared.bus.notices import Examined
from shared.domain.function import Function
from shared.domain.plugin import Plugin, valves_place
from shared.domain.problem import Problem
from shared.secrets import Keyring


class Fitting:
    """What an executor finds in code, with the valves that are set: asked anew only where these are other ones."""

    def __init__(self, examining: Examining, keyring: Keyring, digest: str) -> None:
        self._examining = examining
        self._keyring = keyring
        self._digest = digest
        self._valves: str | None = None
        self._examined = Examined()

    async def look(self, function: Function, plugin: Plugin) -> tuple[Examined, str]:
        """What the code is, and the valves as they are to be kept. Raises Problem(invalid, unavailable)."""
        place = valves_place(function.tenant, function.id)
        values = valves.read(plugin.valves, self._keyring, place=place) if plugin.valves else b""
        if plugin.valves != self._valves:
            try:
                self._examined = await self._examining.code(
                    function.tenant, self._digest, function_id=function.id, values=values
                )
            except Problem as problem:
                raise plugin_values.misfit(problem) from problem
            self._valves = plugin.valves
        # Set when nothing in them was a secret, and there was no key.
        if self._examined.secret and values and not valves.is_sealed(plugin.valves):
            return self._examined, valves.kept(values, self._keyring, place=place, secret=True)
        return self._examined, plugin.valves
