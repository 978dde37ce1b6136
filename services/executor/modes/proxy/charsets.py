"""The charsets that a webhook may name for its text."""

import pkgutil
from encodings import __path__ as _folder
from encodings import aliases, normalize_encoding

_LONGEST_NAME = 40  # characters
# For labels of domain names: a few megabytes of punycode are decoded for hours.
_LABELS = frozenset({"idna", "punycode"})
_KNOWN = frozenset(module.name for module in pkgutil.iter_modules(_folder)) - _LABELS


def charset_of(name: str) -> str:
    """Python's own name of the charset, or utf-8 for one that nobody knows.

    Python is not asked about any other: it remembers every name that it does not know, for ever.
    """
    plain = normalize_encoding(name[:_LONGEST_NAME]).lower()
    known = aliases.aliases.get(plain, plain)
    return known if known in _KNOWN else "utf-8"
