"""The ways to learn of uploads: this is the only list."""

from services.triggers.kinds.s3.adapter import Adapter
from shared.domain.event_source import SourceKind

ADAPTERS: dict[SourceKind, Adapter] = {}
