"""What a worker says in one call: questions, and then its reply. The worker is not believed, the call is known here."""

from collections.abc import Awaitable

from services.executor import requests
from services.executor.ctx import facts_of
from services.executor.mode import Call, Host, Person, Unavailable
from services.executor.modes.python import heads
from services.executor.modes.python.frames import (
    AnswerFrame,
    CallFrame,
    ClaimFrame,
    ExamineFrame,
    FrameError,
    InvokeFrame,
    KeptFrame,
    NeedFrame,
    PersonFrame,
    PluginFrame,
    PublishFrame,
    Question,
    ReplyFrame,
    RequestFrame,
    pack,
    parse_reply,
    parse_told,
)
from services.executor.modes.python.kept import Kept
from services.executor.modes.python.lines import check_told
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Request, Response

_MOST_QUESTIONS = 1000  # in one call
_MOST_SAID = 1000  # characters of why there is no answer
_INTERNAL = "http://function.internal"
_JSON = ("content-type", "application/json")


class Talk:
    """One call's. `reply` is there when the exchange is over."""

    def __init__(self, call: Call, nonce: int) -> None:
        self._call = call
        self._nonce = nonce
        self._questions = 0
        self._said = 0
        self._kept: Kept | None = None
        self.reply: ReplyFrame

    def hear(self, payload: bytes) -> Awaitable[bytes] | None:
        """Take what the worker says, and answer a question. Raises FrameError for what no honest worker says."""
        said = parse_reply(payload, self._nonce)
        if isinstance(said, ReplyFrame):
            self.reply = said
            return None
        self._check(said)
        return self._answered(said)

    def told(self, payload: bytes) -> None:
        """Take lines that the worker tells. Raises FrameError for what no honest worker says."""
        told, live = parse_told(payload, self._nonce), self._call.live
        kept = self._kept = self._kept or Kept(self._call.limits)
        if isinstance(told, KeptFrame):
            kept.take(told)
            return
        if live is None:
            raise FrameError("lines where nobody wants any")
        self._said = check_told(told.lines, after=self._said)
        kept.hear(told.lines)
        live.say(told.lines)

    def cut(self, outcome: Outcome) -> Outcome:
        """The outcome of a call that did not reply, with what is known of what it has written."""
        if self._call.examination is not None:
            return outcome
        return (self._kept or Kept(self._call.limits)).completed(outcome)

    def _check(self, question: Question) -> None:
        if self._call.examination is not None:
            raise FrameError("a question where there is no call")
        try:
            if isinstance(question, InvokeFrame):
                heads.check_invoke(question.name, question.method)
                heads.check_headers(question.headers)
                if len(question.body) > self._call.limits.params_bytes:
                    raise ValueError("a body over the limit")
            elif isinstance(question, ClaimFrame):
                heads.check_claim(question.key, question.scope, ttl_s=question.ttl_s)
            elif isinstance(question, PublishFrame):
                heads.check_publish(question.channel, question.event, question.payload)
        except ValueError as error:
            raise FrameError(f"a question that cannot be asked: {error}") from error

    async def _answered(self, question: Question) -> bytes:
        self._questions += 1
        if self._questions > _MOST_QUESTIONS:
            return pack(AnswerFrame(error=f"more than {_MOST_QUESTIONS} questions in one call"))
        try:
            answer = await self._answer(question)
        except (Problem, Unavailable) as error:
            answer = AnswerFrame(error=str(error)[:_MOST_SAID])
        return pack(answer)

    async def _answer(self, question: Question) -> AnswerFrame:
        host = self._call.host
        if isinstance(question, NeedFrame) and question.what == "request":
            return AnswerFrame(request=request_frame(self._call))
        if host is None:
            return AnswerFrame(error="nothing can be asked in this call")
        if isinstance(question, NeedFrame):
            if question.what == "person":
                return AnswerFrame(person=_person_frame(await host.person()))
            return AnswerFrame(env=await host.environment())
        if isinstance(question, ClaimFrame):
            return AnswerFrame(first=await host.claim(question.key, scope=question.scope, ttl_s=question.ttl_s))
        if isinstance(question, PublishFrame):
            await host.publish(question.channel, question.payload, event=question.event)
            return AnswerFrame()
        return await self._invoked(question, host)

    async def _invoked(self, question: InvokeFrame, host: Host) -> AnswerFrame:
        path = f"/{question.name}"
        asked = Request(
            method=question.method, url=_INTERNAL + path, path=path, headers=question.headers, body=question.body
        )
        outcome = await host.invoke(question.name, asked)
        if outcome.status != "SUCCESS":
            return AnswerFrame(error=outcome.message[:_MOST_SAID])
        response = outcome.response or Response(headers=[_JSON], body=bytes(outcome.result))
        return AnswerFrame(status=response.status, headers=response.headers, body=response.body)


def call_frame(call: Call, nonce: int, *, valves: bytes) -> CallFrame:
    """What the worker is asked to do; `valves` are the plugin's, where it is one."""
    limits, function, examination = call.limits, call.function, call.examination
    plugin = function.plugin if function is not None else None
    live = call.live
    return CallFrame(
        nonce,
        call.params,
        call.context,
        output_bytes=limits.output_bytes,
        log_lines=limits.log_lines,
        result_bytes=limits.result_bytes,
        memory_mb=limits.memory_mb,
        ask_bytes=limits.params_bytes,
        request=None if call.request is None else request_frame(call),
        plugin=None if plugin is None else PluginFrame(plugin.key, valves),
        examine=None
        if examination is None
        else ExamineFrame(examination.what, examination.of, examination.values, _person_frame(examination.person)),
        tells=live is not None and live.wanted,
        told_lines=0 if live is None else live.most_lines,
        told_bytes=0 if live is None else live.most_bytes,
    )


def _person_frame(person: Person | None) -> PersonFrame | None:
    if person is None:
        return None
    return PersonFrame(person.id, person.email, person.name, person.role, person.valves)


def request_frame(call: Call) -> RequestFrame:
    """The call as a request to a handler, whatever it came by, with the facts of its ctx."""
    request = requests.request_of(call)
    return RequestFrame(
        request.method, request.url, request.path, request.query, request.headers, request.body, facts_of(call, request)
    )
