"""The kinds of triggers that there are: this is the only list."""

from services.triggers.kind import Open
from services.triggers.kinds.s3 import kind as s3
from services.triggers.kinds.webhook import kind as webhook
from services.triggers.kinds.websocket import kind as websocket

OPEN: tuple[Open, ...] = (webhook.open, websocket.open, s3.open)
