"""Which names code may bind, read and write to, and where."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeGuard

from RestrictedPython.transformer import RestrictingNodeTransformer

from services.executor.modes.python.given import GIVEN
from services.executor.modes.python.private import is_private

_PRINTING = {"print": "_print_", "printed": "_printed_"}
_UNDERSCORE = 'starts with "_"'
_UNDERSCORE_HINT = "such names are the platform's own, choose another"
_MAGIC_HINT = "attributes such as __name__ are not available; of __init__, super().__init__(…) in a method is"
_SUPER = "super"
# What `__name__` is in a function: a constant of the compiled code, so there is nothing that could be bound instead.
_OWN_NAME = "function"

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class _Scope(NamedTuple):
    """A function with those of its parameters that are in GIVEN, or the body of a class.

    `own` is what a method calls the object it is a method of.
    """

    given: frozenset[str] = frozenset()
    keeps_annotations: bool = False
    is_class: bool = False
    own: str | None = None


class Naming(RestrictingNodeTransformer):
    """RestrictedPython's rules for names; beside them private names, and those of GIVEN as parameters.

    The names of our hooks start and end with an underscore, so that no source can spell one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._scopes = [_Scope()]
        self._inherited: ast.Attribute | None = None

    @contextmanager
    def _within(self, scope: _Scope) -> Iterator[None]:
        self._scopes.append(scope)
        yield
        self._scopes.pop()

    def error(self, node: ast.AST, info: str) -> None:
        """Note a refusal; where there is a way round, say it."""
        if _UNDERSCORE in info:
            hint = _MAGIC_HINT if '"__' in info else _UNDERSCORE_HINT
            info = f"{info.rstrip('.')}: {hint}"
        super().error(node, info)

    def gen_tmp_name(self) -> str:
        """A variable of ours: RestrictedPython's `_tmp0` could be one of the code's."""
        return f"{super().gen_tmp_name()}_"

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        """As ever; but private names are names, and one of GIVEN is where it is a parameter."""
        if name == _SUPER and not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            self.error(node, f'"{name}" is a reserved name.')
        elif name in GIVEN:
            if not (isinstance(node, ast.Name) and self._is_parameter(node)):
                self.error(node, f'"{name}" is given to parameters only: name it among those of the function.')
        elif name is None or not is_private(name):
            super().check_name(node, name, allow_magic_methods)

    def _is_parameter(self, node: ast.Name) -> bool:
        """Whether the name is a parameter: for reading, of a function around; else of the very function it is in."""
        if isinstance(node.ctx, ast.Load):
            return any(node.id in scope.given for scope in self._scopes)
        return node.id in self._scopes[-1].given

    def check_function_argument_names(self, node: _Function) -> None:
        """Every parameter but those of GIVEN; annotations of parameters are dropped, for they mean nothing."""
        for one in _parameters(node):
            one.annotation = None
            if one.arg not in GIVEN:
                self.check_name(node, one.arg)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """`print` and `printed` are hooks; RestrictedPython's own way would bind `_print` in every function."""
        if node.id == "__name__" and isinstance(node.ctx, ast.Load):
            return ast.copy_location(ast.Constant(_OWN_NAME), node)
        if not (node.id in _PRINTING and isinstance(node.ctx, ast.Load)):
            visited: ast.AST = super().visit_Name(node)  # type: ignore[assignment]
            return visited
        hook: ast.expr = ast.copy_location(ast.Name(_PRINTING[node.id], ast.Load()), node)
        return hook if node.id == "print" else ast.copy_location(ast.Call(hook, [], []), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`a.b` as ever. `a._b` becomes `_readown_(a, "_b")`, and `a._b = c` becomes `_own_(a, "_b")._b = c`."""
        if node is self._inherited:
            return self._inherited_method(node)
        if not is_private(node.attr):
            visited: ast.AST = super().visit_Attribute(node)  # type: ignore[assignment]
            return visited
        node = self.node_contents_visit(node)
        name = ast.copy_location(ast.Constant(node.attr), node)
        if isinstance(node.ctx, ast.Load):
            return hook_call("_readown_", node.value, name, at=node)
        node.value = hook_call("_own_", node.value, name, at=node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """As ever; and in a method `super().f(…)`, in exactly this form, is a call of what it has above its class."""
        if self._scopes[-1].own and _is_of_super(node.func):
            self._inherited = node.func
        visited: ast.AST = super().visit_Call(node)  # type: ignore[assignment]
        return visited

    def _inherited_method(self, node: ast.Attribute) -> ast.AST:
        """`_super_(__class__, self, "f")`: the class is the one that Python would take."""
        if node.attr != "__init__":  # whose name the hook knows
            # Visited for its name check only.
            self.visit(ast.copy_location(ast.Attribute(ast.Constant(None), node.attr, ast.Load()), node))
        names = ast.Name("__class__", ast.Load()), ast.Name(self._scopes[-1].own or "", ast.Load())
        located = [ast.copy_location(one, node) for one in (*names, ast.Constant(node.attr))]
        return hook_call("_super_", *located, at=node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        """As ever; what it is annotated to return is dropped."""
        self.check_name(node, node.name, allow_magic_methods=True)
        node.returns = None
        own = _first(node) if self._scopes[-1].is_class else None
        with self._within(_Scope(_given(node), own=own)):
            visited: ast.AST = super().visit_FunctionDef(node)  # type: ignore[assignment, arg-type]
        return visited

    # RestrictedPython refuses these; what it checks of the others are the same fields.
    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """As ever."""
        with self._within(_Scope(_given(node))):
            visited: ast.AST = super().visit_Lambda(node)  # type: ignore[assignment]
        return visited

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """As ever; a base may want to know the annotations in the body (a model does), and is told nothing else."""
        for keyword in node.keywords:
            if keyword.arg != "metaclass":  # which is refused as ever
                self.error(node, "Arguments of a class are not available: a model says them in its model_config.")
        with self._within(_Scope(keeps_annotations=bool(node.bases), is_class=True)):
            visited: ast.ClassDef = super().visit_ClassDef(node)  # type: ignore[assignment]
        for made in (visited, *visited.keywords, *(keyword.value for keyword in visited.keywords)):
            ast.copy_location(made, node)
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


def hook_call(hook: str, *arguments: ast.expr, at: ast.expr) -> ast.expr:
    """A call of a hook, at the place of `at`."""
    function = ast.copy_location(ast.Name(hook, ast.Load()), at)
    return ast.copy_location(ast.Call(function, list(arguments), []), at)


def _parameters(node: _Function) -> list[ast.arg]:
    named = node.args
    starred = [one for one in (named.vararg, named.kwarg) if one]
    return [*named.posonlyargs, *named.args, *named.kwonlyargs, *starred]


def _given(node: _Function) -> frozenset[str]:
    return GIVEN.intersection(one.arg for one in _parameters(node))


def _first(node: _Function) -> str | None:
    positional = [*node.args.posonlyargs, *node.args.args]
    return positional[0].arg if positional else None


def _is_of_super(node: ast.expr) -> TypeGuard[ast.Attribute]:
    """Whether it is `super().name`."""
    above = node.value if isinstance(node, ast.Attribute) else None
    if not isinstance(above, ast.Call) or above.args or above.keywords:
        return False
    return isinstance(above.func, ast.Name) and above.func.id == _SUPER
