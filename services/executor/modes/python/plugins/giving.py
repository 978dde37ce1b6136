"""What the parameters of a hook are given, by their names with underscores."""

from collections.abc import Callable
from typing import Any

from services.executor.modes.python.asking import Ask
from services.executor.modes.python.ctx import Ctx
from services.executor.modes.python.frames import CallFrame, NeedFrame, PersonFrame
from services.executor.modes.python.models import api as models
from services.executor.modes.python.plugins.classes import values_of, valves_class
from services.executor.modes.python.plugins.emitting import Log, call_nobody, emitter


class Giving:
    """For one call. What has to be asked of the platform is asked when a parameter is named that needs it."""

    def __init__(
        self, call: CallFrame, ask: Ask, *, instance: Any, params: dict[str, Any], body: Any, log: Log
    ) -> None:
        self._call = call
        self._ask = ask
        self._instance = instance
        self._params = params
        self._body = body
        self._log = log
        self._makers: dict[str, Callable[[], Any]] = {
            "__user__": self._user,
            "__metadata__": lambda: self._param("metadata", {}),
            "__messages__": self._messages,
            "__id__": lambda: self._param("id", call.plugin.key if call.plugin is not None else ""),
            "__body__": lambda: body,
            "__event_emitter__": lambda: emitter(log),
            "__event_call__": lambda: call_nobody,
            "__ctx__": self._ctx,
        }

    def __call__(self, name: str) -> Any:
        """The value of a parameter; of one that is only passed on, the call's param of its name without underscores."""
        maker = self._makers.get(name)
        return self._param(name.strip("_"), None) if maker is None else maker()

    def _param(self, name: str, default: Any) -> Any:
        value = self._params.get(name)
        return default if value is None else value

    def _messages(self) -> Any:
        body = self._body
        return self._param("messages", body.get("messages") if isinstance(body, dict) else None)

    def _user(self) -> dict[str, Any] | None:
        """With an object of what he has set for himself, where the class has such valves."""
        person = self._ask(NeedFrame(self._ask.nonce, "person")).person
        if person is None:
            return None
        user = user_of(person)
        kind = valves_class(self._instance, "UserValves")
        if kind is not None:
            user["valves"] = models.made(kind, values_of(person.valves))
        return user

    def _ctx(self) -> Ctx:
        request = self._call.request or self._ask(NeedFrame(self._ask.nonce, "request")).request
        if request is None:
            raise RuntimeError("the call cannot be told as a request")
        return Ctx(self._ask, request.facts)


def user_of(person: PersonFrame) -> dict[str, Any]:
    """The `__user__` that somebody is."""
    return {"id": person.id, "email": person.email, "name": person.name, "role": person.role}
