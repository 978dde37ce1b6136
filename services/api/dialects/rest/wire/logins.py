"""Logins as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(max_length=4096)]
Tenant = Annotated[str, Meta(max_length=100)]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a login. `tenant` says where, if neither the host nor `X-Tenant` does."""

    username: Text
    password: Text
    tenant: Tenant = ""


class AppLogin(msgspec.Struct, frozen=True, kw_only=True):
    """The same, for clients that know their user by address."""

    password: Text
    username: Text = ""
    email: Text = ""
    tenant: Tenant = ""


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a refresh, and of the end of a login."""

    refresh: Text


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The two tokens of a login."""

    access: str
    refresh: str


class Ended(msgspec.Struct, frozen=True):
    """The login is over: there is nothing more to say."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who has logged in."""

    id: int
    display: str
    username: str
    email: str
    has_usable_password: bool = True


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Who has logged in, and how."""

    user: Person
    methods: list[str] = []


class AppMeta(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of a login; either name of the access token does."""

    session_token: str
    access_token: str
    refresh_token: str
    is_authenticated: bool = True


class AppPair(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a login by address."""

    data: Data
    meta: AppMeta
    status: int = 200
