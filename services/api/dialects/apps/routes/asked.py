"""What the handlers of this dialect are given: the request, its words, who sends it, and whom they speak to."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, NamedTuple

from litestar.di import NamedDependency
from litestar.params import Parameter, SkipValidation

from services.api import reading
from services.api.core.app_settings import AppSettings
from services.api.core.called import Called
from services.api.core.deployments import Deployments
from services.api.core.environments import Environments
from services.api.core.logs import Logs
from services.api.core.metrics import FunctionMetrics
from services.api.core.webhooks import Webhooks
from shared.domain.caller import Caller

Asked = reading.Asked
Headers = Iterable[tuple[bytes, bytes]]
MAX_LISTED = 1000
_MAX_SKIP = 10**9


class Core(NamedTuple):
    """What the handlers speak to."""

    deployments: Deployments
    environments: Environments
    settings: AppSettings
    logs: Logs
    called: Called
    metrics: FunctionMetrics
    webhooks: Webhooks
    known: Callable[[Headers], Awaitable[Caller]]
    """Whom the headers of a request speak for now."""
    webhook_base: str = ""
    """Where the world reaches webhooks; empty: where the request that asks came to."""


By = NamedDependency[SkipValidation[Caller]]
To = NamedDependency[SkipValidation[Core]]
Size = Annotated[int | None, Parameter(ge=1, le=_MAX_SKIP)]
Whole = Annotated[int | None, Parameter(ge=0, le=_MAX_SKIP)]
