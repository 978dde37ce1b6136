"""Which Python a function may be written in: RestrictedPython's language, with what everybody writes put back.

A change here that makes older artefacts wrong or unsafe raises POLICY in settings.py.
"""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from RestrictedPython.transformer import IOPERATOR_TO_STR, RestrictingNodeTransformer, copy_locations

from services.executor.modes.python.facades import MODULES, exports
from services.executor.modes.python.given import GIVEN

_INSTEAD = {
    "Match": "match is not available: write if and elif",
    "TryStar": "except* is not available: write an ordinary except",
    "TypeAlias": "type statements are not available: assign the type to a name",
}

_PRINTING = {"print": "_print_", "printed": "_printed_"}
_FUTURE = "__future__"
_UNDERSCORE = 'starts with "_"'
_UNDERSCORE_HINT = "such names are the platform's own, choose another"
_MAGIC_HINT = "attributes such as __name__, and super().__init__, are not available"

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Scope(NamedTuple):
    """A function with those of its parameters that are in GIVEN, or the body of a class."""

    given: frozenset[str] = frozenset()
    is_function: bool = False
    keeps_annotations: bool = False


class Policy(RestrictingNodeTransformer):
    """Refuses what is not allowed, with its line, and routes the rest through the guards."""

    _in_try = 0

    def __init__(self) -> None:
        super().__init__()
        self._scopes = [_Scope()]

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

    @contextmanager
    def _within(self, scope: _Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        """As ever; and a name of GIVEN is one wherever it is a parameter, nowhere else."""
        if name not in GIVEN:
            super().check_name(node, name, allow_magic_methods)
        elif not (isinstance(node, ast.Name) and self._is_parameter(node)):
            self.error(node, f'"{name}" is given to parameters only: name it among those of the function.')

    def _is_parameter(self, node: ast.Name) -> bool:
        """Whether the name is a parameter: for reading, of a function around; else of the very function it is in."""
        if isinstance(node.ctx, ast.Load):
            return any(node.id in scope.given for scope in self._scopes)
        return node.id in self._scopes[-1].given

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """`print` and `printed` are hooks; RestrictedPython's own way would bind `_print` in every function."""
        if not (node.id in _PRINTING and isinstance(node.ctx, ast.Load)):
            visited: ast.AST = super().visit_Name(node)  # type: ignore[assignment]
            return visited
        hook: ast.expr = ast.copy_location(ast.Name(_PRINTING[node.id], ast.Load()), node)
        return hook if node.id == "print" else ast.copy_location(ast.Call(hook, [], []), node)

    def check_function_argument_names(self, node: _Function) -> None:
        """Every parameter but those of GIVEN; annotations of parameters are dropped, for they mean nothing."""
        for one in _parameters(node):
            one.annotation = None
            if one.arg not in GIVEN:
                self.check_name(node, one.arg)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """As ever; what it is annotated to return is dropped."""
        self.check_name(node, node.name, allow_magic_methods=True)
        node.returns = None
        with self._within(_Scope(_given(node), is_function=True)):
            visited: ast.AST = super().visit_FunctionDef(node)  # type: ignore[assignment, arg-type]
        return visited

    # RestrictedPython refuses the asynchronous kinds; what it checks of the ordinary ones are the same fields.
    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        """As `with`."""
        visited: ast.AST = self.visit_With(node)  # type: ignore[assignment, arg-type]
        return visited

    def visit_Await(self, node: ast.Await) -> ast.AST:
        """`await x`: a guard looks at `x`."""
        node = self.node_contents_visit(node)
        node.value = _call("_await_", node.value)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        """`async for`: a guard looks at what is iterated; the one of `for` would not know what to do with it."""
        node = self.node_contents_visit(node)
        node.iter = _call("_aiter_", node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        """As ever, and with `async for` as in the statement."""
        if not node.is_async:
            visited: ast.AST = super().visit_comprehension(node)  # type: ignore[assignment]
            return visited
        node = self.node_contents_visit(node)
        node.iter = _call("_aiter_", node.iter)
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """As ever."""
        with self._within(_Scope(_given(node), is_function=True)):
            visited: ast.AST = super().visit_Lambda(node)  # type: ignore[assignment]
        return visited

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """As ever; a base may want to know the annotations in the body (a model does)."""
        with self._within(_Scope(keeps_annotations=bool(node.bases))):
            visited: ast.AST = super().visit_ClassDef(node)  # type: ignore[assignment]
        for made in (visited, *visited.keywords, *(keyword.value for keyword in visited.keywords)):  # type: ignore[attr-defined]
            ast.copy_location(made, node)
        return visited

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """As ever, less `from __future__ import annotations`: bases of classes want values, and nobody wants texts."""
        visited: ast.Module = super().visit_Module(node)  # type: ignore[assignment]
        visited.body = [one for one in visited.body if not (isinstance(one, ast.ImportFrom) and one.module == _FUTURE)]
        return visited

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | list[ast.AST]:
        """`x: int = 1` is kept in a class with bases; elsewhere it is `x = 1`, for the annotation means nothing."""
        if self._scopes[-1].keeps_annotations and node.simple:
            return self.node_contents_visit(node)
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
        known = name in MODULES or name in (_FUTURE, "urllib")
        if not known and not self._in_try:
            self.error(node, f"Module {name} is not available. Available are: {', '.join(MODULES)}.")
        return known


def _call(hook: str, argument: ast.expr) -> ast.expr:
    made = ast.Call(ast.copy_location(ast.Name(hook, ast.Load()), argument), [argument], [])
    return ast.copy_location(made, argument)


def _parameters(node: _Function) -> list[ast.arg]:
    named = node.args
    starred = [one for one in (named.vararg, named.kwarg) if one]
    return [*named.posonlyargs, *named.args, *named.kwonlyargs, *starred]


def _given(node: _Function) -> frozenset[str]:
    return GIVEN.intersection(one.arg for one in _parameters(node))
