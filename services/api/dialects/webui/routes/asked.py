"""What the handlers of this dialect are given: the request, its words, who sends it, and whom they speak to."""

from typing import Annotated, Any, NamedTuple

from litestar.di import NamedDependency
from litestar.params import Parameter, SkipValidation

from services.api import reading
from services.api.core.loading import Loading
from services.api.core.plugin_sync import PluginSync
from services.api.core.plugin_versions import PluginVersions
from services.api.core.plugins import Plugins
from services.api.core.valves import Valves
from services.api.dialects.webui import decode
from shared.domain.caller import Caller


class Core(NamedTuple):
    """What the handlers speak to."""

    plugins: Plugins
    versions: PluginVersions
    valves: Valves
    sync: PluginSync
    loading: Loading


class Asked(reading.Asked):
    """A request of this dialect: what is no JSON is told to anybody, what is wrong with it to those who may send it."""

    async def judge(self) -> None:
        """Look at the body before anybody asks who sends it. Raises Told, 422."""
        if self.route_handler.parsed_data_field is not None and (body := await self.body()):
            decode.well_formed(body)

    async def json(self) -> Any:
        """The body as the handler wants it. Raises Told, 422."""
        wanted = self.route_handler.parsed_data_field
        return decode.form(Any if wanted is None else wanted.annotation, await self.body())


By = NamedDependency[SkipValidation[Caller]]
To = NamedDependency[SkipValidation[Core]]
Page = Annotated[int, Parameter(ge=1, le=10**6)]
Size = Annotated[int, Parameter(ge=1, le=100)]
