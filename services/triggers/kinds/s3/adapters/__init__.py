"""The ways to learn of uploads: this is the only list."""

from services.triggers.kinds.s3.adapter import Adapter
from services.triggers.kinds.s3.adapters import http, nats, poll, sqs
from shared.domain.event_source import SourceKind

ADAPTERS: dict[SourceKind, Adapter] = {"sqs": sqs.run, "http": http.run, "nats": nats.run, "poll": poll.run}
