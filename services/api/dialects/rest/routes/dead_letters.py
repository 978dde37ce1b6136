"""Dead letters: listed, looked into, redriven, removed. `services/api/routes.py` has the paths."""

from services.api import bodies
from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, Numbered, To, Within, Word
from services.api.dialects.rest.translate import dead_letters as translate
from services.api.dialects.rest.wire import dead_letters as wire
from services.api.dialects.rest.wire.pages import Page


async def list_dead_letters(
    request: Asked, *, core: To, caller: By, part: Within, function: Word = None
) -> Page[wire.DeadLetterRow]:
    """What failed for good or could not be handled, the newest first."""
    count, found = await core.dead_letters.listed(caller, function or "", limit=part.limit, skip=part.skip)
    return part.page(count, [translate.row(letter) for letter in found], request)


async def show_dead_letter(*, core: To, caller: By, number: Numbered) -> wire.DeadLetter:
    """One dead letter, with what its function was called with."""
    return translate.detail(await core.dead_letters.shown(caller, number))


@answers("conflict")
async def redrive_dead_letter(
    request: Asked, *, core: To, caller: By, number: Numbered, data: wire.Redrive | None = None
) -> wire.Redriven:
    """A new invocation in the place of one that died.

    It is made for whom the dead one was made, by the function as it is now, and the letter is removed. To ask again, or
    twice at once, makes no second one. With other `params` only a developer may redrive what somebody else has called.
    """
    if data is None and await request.body():
        raise bodies.invalid("", "Expected `object`, got `null`")
    made = await core.dead_letters.redrive(caller, number, params=translate.params(data))
    return translate.redriven(made)


async def redrive_dead_letters(*, core: To, caller: By, data: wire.RedriveMany) -> wire.RedrivenMany:
    """New invocations in the place of many that died, of up to 100 with each request, the oldest first."""
    if translate.is_all(data):
        done = await core.dead_letters.redrive_all(caller, data.function or "", after=data.after, until=data.until)
    else:
        done = await core.dead_letters.redrive_chosen(caller, data.ids)
    return translate.many(done)


async def remove_dead_letter(*, core: To, caller: By, number: Numbered) -> None:
    """The end of a dead letter, which cannot be redriven then."""
    await core.dead_letters.remove(caller, number)
