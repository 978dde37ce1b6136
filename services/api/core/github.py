"""Where the text is of what a page of GitHub shows, and what a function would be called that is loaded. Pure."""

import re

_PAGE = re.compile(
    r"(?i:https://(?:www\.)?github\.com(?::443)?)/([^/?#]+)/([^/?#]+)/(tree|blob)/([^/?#]+)(?:/([^?#]*))?(?:[?#].*)?",
    re.DOTALL,
)
_PARTS = re.compile(r"[^:/?#]+://([^/?#]*)([^?#]*)")
_RAW = "https://raw.githubusercontent.com"
_COMMIT = re.compile(r"[0-9a-f]{40}")  # GitHub takes none of these for the name of a branch
_OF_FOLDER = ("main.py", "index.py", "__init__.py")  # named after the folder that they are in
_SUFFIX = ".py"
_NO_NAME = "function"


def raw_url(url: str) -> str:
    """The address of the text behind a page of a file, or of the `main.py` of a folder; any other URL as it is.

    A branch is one segment of the path: a page does not say where a longer name ends.
    """
    page = _PAGE.fullmatch(url)
    if page is None:
        return url
    owner, repository, kind, ref, path = page.groups(default="")
    path = path.rstrip("/")
    if kind == "blob" and not path:
        return url
    file = path if kind == "blob" else f"{path}/main.py".lstrip("/")
    revision = ref if _COMMIT.fullmatch(ref) else f"refs/heads/{ref}"
    return f"{_RAW}/{owner}/{repository}/{revision}/{file}"


def suggested_name(url: str) -> str:
    """The file's name without `.py`; the folder's, or host's, for `main.py` and the like and what is no `.py`.

    Empty where there is a host and nothing else.
    """
    parts = _PARTS.match(url)
    if parts is None:
        return _NO_NAME
    host, path = parts.groups()
    segments: list[str] = ["", host, *path.rstrip("/").split("/")[1:]]
    last = segments[-1]
    if last.endswith(_SUFFIX) and last not in _OF_FOLDER:
        return last.removesuffix(_SUFFIX)
    return segments[-2]
