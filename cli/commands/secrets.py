"""`shoal secrets`: the keys that seal what is secret at rest."""

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from cli import keys, show
from cli.opened import Opened, OpenError, Where, run

if TYPE_CHECKING:
    from shared.rotation import Report
    from shared.secrets import Keyring

secrets = App(name="secrets", help="The keys that seal what is secret at rest.")

_HERE = Where()


@secrets.command
def status(*, where: Where = _HERE) -> int:
    """Show how much each key has sealed."""

    async def work(opened: Opened) -> None:
        from shared import rotation

        keyring = keys.open_keys(where)
        report = await rotation.status(opened.store)
        _show(report, keyring, as_json=where.json)
        _complain(report, keyring)

    return run(where, work)


@secrets.command
def rotate(*, where: Where = _HERE) -> int:
    """Seal everything anew under the first key. It may be repeated, and goes on where it was cut short."""

    async def work(opened: Opened) -> None:
        from shared import rotation

        keyring = keys.open_keys(where)
        report = await rotation.rotate(opened.store, keyring)
        _show(report, keyring, as_json=where.json)
        _complain(report, keyring)

    return run(where, work)


@secrets.command(name="new-key")
def new_key(
    *,
    print_: Annotated[bool, Parameter(name="--print", negative="", help="print it, and change no file")] = False,
    where: Where = _HERE,
) -> int:
    """Make a key, and put it first into the file of keys; without one, print it."""

    key = keys.new_key()
    path = None if print_ or keys.VARIABLE in os.environ else keys.file_of(where)
    if path is None:
        show.done(key, {"key": key}, as_json=where.json)
        return 0
    try:
        count = keys.prepend(path, key)
    except OpenError as error:
        print(f"shoal: {error}", file=sys.stderr)
        return 1
    sentence = f"{path} has {count} keys; the new one seals as soon as all services have been restarted"
    show.done(sentence, {"file": str(path), "keys": count}, as_json=where.json)
    return 0


def _show(report: "Report", keyring: "Keyring", *, as_json: bool) -> None:
    """A row for each field, a column for each key; those at hand first, as they come."""
    names = [*keyring.names, *(key for key in report.keys if key not in keyring.names)]
    columns = {name: _title(name, keyring) for name in names}
    rows: list[dict[str, Any]] = [
        {
            "sealed": field,
            "resealed": report.resealed[field],
            **{title: counts[name] for name, title in columns.items()},
        }
        for field, counts in report.left.items()
    ]
    show.rows(rows, ["sealed", "resealed", *columns.values()], as_json=as_json)


def _title(name: str, keyring: "Keyring") -> str:
    if name == keyring.first:
        return f"{name} (first)"
    return name if name in keyring.names else f"{name or '?'} (missing)"


def _complain(report: "Report", keyring: "Keyring") -> None:
    """Whatever is not as it should be is one line, and an exit code. Raises OpenError."""
    lost = sum(report.under(key) for key in report.keys if key not in keyring.names)
    lines = [
        f"{fault.collection} {fault.id} of {fault.tenant}: {fault.field} cannot be opened: {fault.reason}"
        for fault in report.faults
    ]
    if lost and not lines:
        lines = [f"{lost} texts are sealed by keys that are not at hand"]
    if lines:
        raise OpenError("\nshoal: ".join(lines))
