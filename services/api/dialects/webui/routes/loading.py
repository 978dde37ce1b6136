"""Code that is fetched from elsewhere, and is not kept. `services/api/routes.py` has the paths."""

from services.api.dialects.webui.problems import unprocessable
from services.api.dialects.webui.routes.asked import By, To
from services.api.dialects.webui.translate import refusals
from services.api.dialects.webui.translate.refusals import told
from services.api.dialects.webui.wire import loading as wire
from services.api.dialects.webui.wire.problems import Fault

_SCHEMES = ("http://", "https://")


async def load_plugin(*, core: To, caller: By, data: wire.Load) -> wire.Loaded:
    """The code at a URL, and what a function of it may be called."""
    if not data.url.strip().lower().startswith(_SCHEMES):
        sentence = "Input should be a valid URL that begins with https://"
        raise unprocessable([Fault(type="url_parsing", loc=("body", "url"), msg=sentence)])
    with told(refusals.of_loading):
        found = await core.loading.load(caller, data.url)
    return wire.Loaded(name=found.name, content=found.content)
