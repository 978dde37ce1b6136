"""What is refused when it is deployed, and that nothing of it is run then."""

import pytest

from services.executor.mode import Artefact, Refusal
from services.executor.modes.javascript.mode import JavascriptMode

REFUSED = {
    "export default (": (1, "SyntaxError: Expression expected (column 17)"),
    "const a = 1;\nexport default async (req) => {\n  return a +;\n};": (
        3,
        "SyntaxError: Expression expected (column 13)",
    ),
    "interface A {}\nexport default (": (2, "SyntaxError: Expression expected (column 17)"),
    "import x from './a.js';\nexport default x": (
        1,
        "cannot import './a.js': a function is one file: relative imports are not available",
    ),
    "\nexport * from 'https://example.org/a.ts'; export default 1": (
        2,
        "cannot import 'https://example.org/a.ts': only Node's own modules can be imported, as 'node:crypto'; "
        "bundle what else is needed",
    ),
    "export default async () => await import('npm:left-pad')": (
        1,
        "cannot import 'npm:left-pad': only Node's own modules can be imported, as 'node:crypto'; "
        "bundle what else is needed",
    ),
    "export const handler = () => 1": (0, "Function must export a handler function"),
    "module.exports = function handler() {}": (0, "Function must export a handler function"),
    "// export default handler": (0, "Function must export a handler function"),
    "": (0, "Function must export a handler function"),
    "(" * 50_000: (0, "The code ended its checker; is it nested too deeply, or too long?"),
}


@pytest.mark.parametrize("source", REFUSED, ids=lambda source: source[:40])
async def test_it_is_refused_with_its_line(mode: JavascriptMode, source: str) -> None:
    refusal = await mode.prepare(source)
    assert isinstance(refusal, Refusal)
    assert [(error.line, error.message) for error in refusal.errors] == [REFUSED[source]]


async def test_every_import_is_told(mode: JavascriptMode) -> None:
    refusal = await mode.prepare("import a from './a.js';\nimport b from 'npm:b';\nexport default 1")
    assert isinstance(refusal, Refusal)
    assert [error.line for error in refusal.errors] == [1, 2]


async def test_nodes_own_modules_may_be_imported(mode: JavascriptMode) -> None:
    made = await mode.prepare("import { createHash } from 'node:crypto';\nexport default () => createHash('md5')")
    assert isinstance(made, Artefact)


async def test_nothing_is_run(mode: JavascriptMode) -> None:
    """What ends a process when it runs, or never ends, is prepared like any other."""
    for top in ("Deno.exit(3)", "for (;;);", "throw new Error('x')"):
        assert isinstance(await mode.prepare(f"{top}\nexport default () => 1"), Artefact)


async def test_characters_and_lengths(mode: JavascriptMode) -> None:
    assert isinstance(await mode.prepare("export default () => '\ud800'"), Refusal)
    assert isinstance(await mode.prepare("export default () => 1 //" + "x" * (4 << 20)), Refusal)
    assert isinstance(await mode.prepare("export default () => 'é ü 語 😀'"), Artefact)


async def test_an_import_of_a_device_ends(mode: JavascriptMode) -> None:
    refusal = await mode.prepare("import x from 'file:///dev/zero'; export default x")
    assert isinstance(refusal, Refusal)
