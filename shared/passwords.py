"""Passwords: hashed with Argon2id, and checked in the same time whoever they are for."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's smallest recommended set: 19 MiB and some 20 ms each, so that a few side by side cost a service little.
_hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODYS = _hasher.hash("nobody's")


def hashed(password: str) -> str:
    """What is kept of a password. It computes: not for the event loop."""
    return _hasher.hash(password)


def matches(password: str, kept: str) -> bool:
    """Whether the password is the one that was kept. It computes as long when nothing was: not for the event loop."""
    try:
        _hasher.verify(kept or _NOBODYS, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept)


def outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than are used now."""
    return _hasher.check_needs_rehash(kept)
