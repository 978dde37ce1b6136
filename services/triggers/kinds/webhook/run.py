"""The run that a delivery sets off, as it is submitted: with a wait for its outcome where the sender waits."""

import msgspec

from services.triggers.deliveries import Command
from services.triggers.kind import World
from services.triggers.kinds.webhook.handed import Handed
from services.triggers.kinds.webhook.places import Place
from shared.callers.edge import ANONYMOUS
from shared.domain.request import params_of
from shared.sealed_request import sealed
from shared.submit import Origin
from shared.waiting import Wait

_NO_PARAMS = msgspec.Raw(b"{}")


class Run:
    """One delivery's. `wait` is there where its sender waits, for `within_s` at most."""

    def __init__(self, world: World, place: Place, given: Handed) -> None:
        self._world = world
        self._place = place
        self._given = given
        self.within_s = place.limits.timeout_s + world.settings.queue_s
        self.wait: Wait | None = None

    def prepare(self, task_id: str) -> Command:
        """Its command. The wait is open before that is sent: an answer cannot come too early.

        Raises Problem(unavailable) where too many wait already.
        """
        self.give_up()
        place, waiting, reply_to = self._place, self._world.waiting, ""
        if place.config.mode == "sync":
            if task_id not in waiting:  # else this is a repetition, and its answer is for who came first
                self.wait = waiting.enter(task_id, tenant=place.function.tenant, within_s=self.within_s, streams=True)
            reply_to = waiting.subject(task_id)
        request = self._given.request
        origin = Origin(
            trigger_type="webhook",
            reply_to=reply_to,
            request=sealed(request, self._given.secret, self._world.service.keyring, task_id),
            actor=ANONYMOUS,
        )
        # A handler is asked the request itself; what is none is given params.
        is_handler = place.function.execution_mode == "app"
        return Command(_NO_PARAMS if is_handler else msgspec.Raw(params_of(request)), origin)

    def give_up(self) -> None:
        """Nobody waits."""
        if self.wait is not None:
            self.wait.give_up()
            self.wait = None
