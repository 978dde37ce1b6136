"""Code that is fetched from elsewhere."""

import msgspec


class Load(msgspec.Struct, frozen=True):
    """Body of a question for code."""

    url: str


class Loaded(msgspec.Struct, frozen=True):
    """Code, and what a function of it may be called. It is not kept."""

    name: str
    content: str
