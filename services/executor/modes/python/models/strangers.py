"""Our own stand-ins for the value classes of pydantic: secrets and URLs. They hold what pydantic made, out of sight."""

from typing import Any, ClassVar, Self

import pydantic
from pydantic_core import SchemaSerializer, TzInfo, core_schema
from pydantic_core import Url as CoreUrl
from pydantic_core import ValidationError as CoreValidationError

from services.executor.modes.python.models.errors import ours


class Secret:
    """A value that does not show in texts and dumps."""

    __slots__ = ("__secret__",)
    __secret__: Any

    def __init__(self, secret_value: Any) -> None:
        self.__secret__ = secret_value

    def get_secret_value(self) -> Any:
        """The value itself."""
        return self.__secret__

    def __len__(self) -> int:
        return len(self.__secret__)

    def __hash__(self) -> int:
        return hash(self.__secret__)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.__secret__ == other.__secret__

    def __str__(self) -> str:
        return str(self.__shown__())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.__shown__()!r})"

    def __shown__(self) -> Any:
        return "**********" if self.__secret__ else ""

    def __deepcopy__(self, _: Any) -> Self:
        return self


class SecretStr(Secret):
    """pydantic's, as a plain class."""

    __slots__ = ()
    # Asked for by the serializer where a field says nothing of the type: masked there, too.
    __pydantic_serializer__ = pydantic.SecretStr.__pydantic_serializer__


class SecretBytes(Secret):
    """pydantic's, as a plain class."""

    __slots__ = ()
    __pydantic_serializer__ = pydantic.SecretBytes.__pydantic_serializer__

    def __shown__(self) -> Any:
        return b"**********" if self.__secret__ else b""


class AnyUrl:
    """pydantic's, as a plain class: what is in the address, read-only."""

    __slots__ = ("__url__",)
    __url__: CoreUrl
    __real__: ClassVar[type[pydantic.AnyUrl]] = pydantic.AnyUrl
    __pydantic_serializer__ = pydantic.AnyUrl.__pydantic_serializer__

    def __init__(self, url: Any) -> None:
        try:
            self.__url__ = self.__real__(str(url) if isinstance(url, AnyUrl) else url)._url  # noqa: SLF001 - it has no name
        except CoreValidationError as error:
            raise ours(error) from None

    @property
    def scheme(self) -> str:
        """As `https`."""
        return self.__url__.scheme

    @property
    def username(self) -> str | None:
        """Before the `@`."""
        return self.__url__.username

    @property
    def password(self) -> str | None:
        """Before the `@`."""
        return self.__url__.password

    @property
    def host(self) -> str | None:
        """In the letters of the net."""
        return self.__url__.host

    @property
    def port(self) -> int | None:
        """The scheme's own, where the address names none."""
        return self.__url__.port

    @property
    def path(self) -> str | None:
        """With its first slash."""
        return self.__url__.path

    @property
    def query(self) -> str | None:
        """Without its question mark."""
        return self.__url__.query

    @property
    def fragment(self) -> str | None:
        """Without its hash."""
        return self.__url__.fragment

    def query_params(self) -> list[tuple[str, str]]:
        """The query, in pairs."""
        return self.__url__.query_params()

    def unicode_host(self) -> str | None:
        """In the letters of its language."""
        return self.__url__.unicode_host()

    def unicode_string(self) -> str:
        """The address, with its host in the letters of its language."""
        return self.__url__.unicode_string()

    def encoded_string(self) -> str:
        """The address."""
        return str(self.__url__)

    def __str__(self) -> str:
        return str(self.__url__)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.__url__)!r})"

    def __deepcopy__(self, _: Any) -> Self:
        return self

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__url__ == other.__url__

    def __lt__(self, other: Any) -> bool:
        return bool(self.__url__ < other.__url__) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.__url__)

    def __len__(self) -> int:
        return len(str(self.__url__))


class AnyHttpUrl(AnyUrl):
    """pydantic's, as a plain class."""

    __slots__ = ()
    __real__ = pydantic.AnyHttpUrl


class HttpUrl(AnyUrl):
    """pydantic's, as a plain class."""

    __slots__ = ()
    __real__ = pydantic.HttpUrl


def url_of(kind: type[AnyUrl], core: CoreUrl) -> AnyUrl:
    """One that pydantic has parsed."""
    made = kind.__new__(kind)
    made.__url__ = core
    return made


def open_secret(secret: Secret) -> Any:
    """What it hides, whatever a class made from it says."""
    return secret.__secret__


SECRETS: dict[type, type[Secret]] = {pydantic.SecretStr: SecretStr, pydantic.SecretBytes: SecretBytes}
URLS: dict[type, type[AnyUrl]] = {
    pydantic.AnyUrl: AnyUrl,
    pydantic.AnyHttpUrl: AnyHttpUrl,
    pydantic.HttpUrl: HttpUrl,
}
REAL: dict[type, Any] = {ours: real for real, ours in (*SECRETS.items(), *URLS.items())}

# The only objects of pydantic's core that code sees: the zone of a date that was parsed, and what a dump has in the
# place of a generator. Their classes are nobody's business.
OF_THE_CORE: tuple[type, ...] = (
    TzInfo,
    type(SchemaSerializer(core_schema.any_schema()).to_python(one for one in "a")),
)
