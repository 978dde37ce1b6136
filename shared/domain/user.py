"""A user's account: who may log in to a tenant, and what its rules are."""

import re
from datetime import datetime

import msgspec

from shared.domain.caller import Role, User
from shared.domain.problem import wrong

OPERATOR_ID = 1
"""The user for whom the operator's own token speaks."""
OPERATOR = "admin"
OPERATOR_TENANT = "default"

MAX_USERNAME = 150
MAX_EMAIL = 254
LEAST_PASSWORD = 10
MAX_PASSWORD = 500  # characters; hashing more would only cost time
_USERNAME = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{MAX_USERNAME - 1}}}")
_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A user as the tenant keeps it.

    `session` is raised to end all logins made before. Without a `password_hash` nobody can log in; tokens work.
    """

    id: int
    tenant: str
    username: str
    email: str = ""
    full_name: str = ""
    role: Role = "user"
    password_hash: str = ""
    is_active: bool = True
    session: int = 0
    created_at: datetime

    @property
    def user(self) -> User:
        """The person, as handlers and webhooks see it."""
        return User(id=self.id, username=self.username, email=self.email)


def username_of(text: str) -> str:
    """The form in which a name is kept: who types it in capitals means the same user."""
    return text.strip().lower()


def check_username(username: str, *, tenant: str) -> None:
    """Refuse a name that cannot be, or is the operator's. Raises Problem(invalid)."""
    if not _USERNAME.fullmatch(username):
        raise wrong("username", f"username must be 1 to {MAX_USERNAME} of a-z, 0-9 and . _ @ + -")
    if (tenant, username) == (OPERATOR_TENANT, OPERATOR):
        raise wrong("username", f"username '{OPERATOR}' is the operator's own here; choose another one")


def check_email(email: str) -> None:
    """Refuse what is no address; an empty one is none. Raises Problem(invalid)."""
    if email and (len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email)):
        raise wrong("email", "email must be an address such as name@example.org")


def check_password(password: str) -> None:
    """Refuse a password that is too short to be one, or too long to be hashed. Raises Problem(invalid)."""
    if not LEAST_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise wrong("password", f"password must have {LEAST_PASSWORD} to {MAX_PASSWORD} characters")
