"""Which Python a function may be written in: RestrictedPython's language, with what everybody writes put back.

A change here that makes older artefacts wrong or unsafe raises POLICY in settings.py.
"""

import ast

from RestrictedPython.transformer import IOPERATOR_TO_STR, RestrictingNodeTransformer, copy_locations

from services.executor.modes.python.facades import MODULES, exports

_INSTEAD = {
    "AsyncFunctionDef": "async def is not available: write an ordinary def",
    "AsyncFor": "async for is not available: write an ordinary for",
    "AsyncWith": "async with is not available: write an ordinary with",
    "Await": "await is not available: call the function directly",
    "Match": "match is not available: write if and elif",
    "TryStar": "except* is not available: write an ordinary except",
    "TypeAlias": "type statements are not available: assign the type to a name",
}

_UNDERSCORE = 'starts with "_"'
_UNDERSCORE_HINT = "such names are the platform's own, choose another"
_MAGIC_HINT = "attributes such as __name__, and super().__init__, are not available"


class Policy(RestrictingNodeTransformer):
    """Refuses what is not allowed, with its line, and routes the rest through the guards."""

    _in_try = 0

    def error(self, node: ast.AST, info: str) -> None:
        """Note a refusal; where there is a way round, say it."""
        if _UNDERSCORE in info:
            hint = _MAGIC_HINT if '"__' in info else _UNDERSCORE_HINT
            info = f"{info.rstrip('.')}: {hint}"
        super().error(node, info)

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a whole construct."""
        kind = type(node).__name__
        self.error(node, _INSTEAD.get(kind, f"{kind} is not available."))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | list[ast.AST]:
        """`x: int = 1` becomes `x = 1`; the annotation means nothing to us and is dropped."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        plain = ast.Assign(targets=[node.target], value=node.value)
        visited: ast.AST | list[ast.AST] = self.visit(ast.copy_location(plain, node))
        return visited

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """`d[k] += v` and `o.a += v` become one call of a guard, so that `d`, `k` and `o` are evaluated once."""
        target = node.target
        sign = ast.Constant(IOPERATOR_TO_STR[type(node.op)])
        if isinstance(target, ast.Subscript):
            hook = "_inplaceitem_"
            arguments = [sign, self.visit(target.value), self.visit(target.slice), self.visit(node.value)]
        elif isinstance(target, ast.Attribute):
            # Visited for its name check only.
            self.visit(ast.copy_location(ast.Attribute(ast.Constant(None), target.attr, ast.Load()), target))
            hook = "_inplaceattr_"
            arguments = [sign, self.visit(target.value), ast.Constant(target.attr), self.visit(node.value)]
        else:
            plain: ast.AST = super().visit_AugAssign(node)  # type: ignore[assignment]
            return plain
        call = ast.Expr(ast.Call(func=ast.Name(hook, ast.Load()), args=arguments, keywords=[]))
        copy_locations(call, node)
        return call

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        """Allowed; the names are checked like every other name."""
        for name in node.names:
            self.check_name(node, name)
        return node

    def visit_Global(self, node: ast.Global) -> ast.AST:
        """Allowed; the names are checked like every other name."""
        for name in node.names:
            self.check_name(node, name)
        return node

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Inside `try`, an import that fails is the code's own affair."""
        self._in_try += 1
        visited: ast.AST = super().visit_Try(node)  # type: ignore[assignment]
        self._in_try -= 1
        return visited

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Refuse at upload what the import guard would refuse at every call."""
        for alias in node.names:
            self._check_module(node, alias.name)
        visited: ast.AST = super().visit_Import(node)  # type: ignore[assignment]
        return visited

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """As `import`, and every name must be one the facade has."""
        module = node.module or ""
        if node.level:
            self.error(node, "Relative imports are not available: a function is one file.")
        elif self._check_module(node, module):
            for alias in node.names:
                if alias.name not in exports(module) and alias.name != "*" and not self._in_try:
                    self.error(node, f"{module}.{alias.name} is not available.")
        visited: ast.AST = super().visit_ImportFrom(node)  # type: ignore[assignment]
        return visited

    def _check_module(self, node: ast.AST, name: str) -> bool:
        known = name in MODULES or name in ("__future__", "urllib")
        if not known and not self._in_try:
            self.error(node, f"Module {name} is not available. Available are: {', '.join(MODULES)}.")
        return known
