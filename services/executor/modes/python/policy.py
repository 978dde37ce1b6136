"""Which Python a function may be written in: RestrictedPython's language, with what everybody writes put back.

A change here that makes older artefacts wrong or unsafe raises POLICY in settings.py.
"""

import ast

from RestrictedPython.transformer import IOPERATOR_TO_STR, copy_locations

from services.executor.modes.python.facades import MODULES, exports
from services.executor.modes.python.instead import instead
from services.executor.modes.python.naming import Naming, hook_call
from services.executor.modes.python.private import is_private

_INSTEAD = {
    "Match": "match is not available: write if and elif",
    "TryStar": "except* is not available: write an ordinary except",
    "TypeAlias": "type statements are not available: assign the type to a name",
}

_FUTURE = "__future__"


class Policy(Naming):
    """Refuses what is not allowed, with its line, and routes the rest through the guards."""

    _in_try = 0

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a whole construct."""
        kind = type(node).__name__
        self.error(node, _INSTEAD.get(kind, f"{kind} is not available."))

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """As ever, less `from __future__ import annotations`: bases of classes want values, and nobody wants texts."""
        visited: ast.Module = super().visit_Module(node)  # type: ignore[assignment]
        visited.body = [one for one in visited.body if not (isinstance(one, ast.ImportFrom) and one.module == _FUTURE)]
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
            hook = "_inplaceown_" if is_private(target.attr) else "_inplaceattr_"
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
                hidden = is_private(alias.name)
                if hidden or (alias.name not in exports(module) and alias.name != "*" and not self._in_try):
                    title = f"{module}.{alias.name}"
                    self.error(node, f"{title} is not available{instead(title)}.")
        visited: ast.AST = super().visit_ImportFrom(node)  # type: ignore[assignment]
        return visited

    def _check_module(self, node: ast.AST, name: str) -> bool:
        known = name in MODULES or name in (_FUTURE, "urllib")
        if not known and (is_private(name) or not self._in_try):
            told = f"Module {name} is not available{instead(name)}. Available are: {', '.join(MODULES)}."
            self.error(node, told)
        return known

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """`await x`: a guard looks at `x`."""
        node = self.node_contents_visit(node)
        node.value = hook_call("_await_", node.value, at=node.value)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        """`async for`: a guard looks at what is iterated; the one of `for` would not know what to do with it."""
        node = self.node_contents_visit(node)
        node.iter = hook_call("_aiter_", node.iter, at=node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """As ever, and with `async for` as in the statement."""
        if not node.is_async:
            visited: ast.AST = super().visit_comprehension(node)  # type: ignore[assignment]
            return visited
        node = self.node_contents_visit(node)
        node.iter = hook_call("_aiter_", node.iter, at=node.iter)
        return node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        """As `with`."""
        visited: ast.AST = self.visit_With(node)  # type: ignore[assignment, arg-type]
        return visited
