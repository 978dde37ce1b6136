"""Whether this process was away: stopped, swapped out or cut off from its clock for so long that its leases ran out.

It does not know by itself. When it goes on, what it holds may be somebody else's by now, and so may be what has come
into its socket meanwhile.
"""

from shared.bus.leases import now_s

_MOST = 0.5  # of a lease: whoever was away for less signals life before the lease is over


class Absence:
    """Asked often enough, it notices; a process that is at work asks several times a lease."""

    def __init__(self, lease_s: float) -> None:
        self._most_s = lease_s * _MOST
        self._seen_at = now_s()

    def over(self) -> bool:
        """Whether we were away until now. Says at once that we are here."""
        now = now_s()
        was_away = now - self._seen_at > self._most_s
        self._seen_at = now
        return was_away
