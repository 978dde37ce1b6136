"""What one run has found, in lines."""

from chaos.run import Report


def lines(found: Report) -> list[str]:
    """For a terminal, and for whoever reads the log of a test that failed."""
    verdict, wishes = found.findings, sum(found.wishes.values())
    return [
        "",
        f"again: {found.options.command}",
        f"wishes: {wishes:,} ({_counted(found.wishes)})",
        f"attempts that were repeated: {sum(found.doubts.values()):,}",
        *(f"  {count:,} times {what or 'no answer'}" for what, count in found.doubts.items()),
        f"invocations on record: {found.invocations:,} ({_counted(found.statuses)}); errors: {_counted(found.errors)}",
        f"ended by another delivery than the first: {found.redelivered:,}",
        f"load {found.load_s:.0f} s, settled after {found.settle_s:.0f} s",
        f"killed: {_counted(found.kills)}",
        f"effects that came again: {len(verdict.repeats)}",
        *(f"  {line}" for line in verdict.repeats),
        f"shoal audit ended with {found.audited.code}:",
        *(f"  {line}" for line in found.audited.said.strip().splitlines()),
        f"counted past it: lost {len(verdict.lost)}, doubled {len(verdict.doubled)}, stuck {len(verdict.stuck)}, "
        f"wrong {len(verdict.wrong)}, unexplained {len(verdict.unexplained)}",
        *verdict.lines(),
        "CLEAN" if found.is_clean else "NOT CLEAN",
    ]


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items()) or "none"
