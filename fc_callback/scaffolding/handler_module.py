"""Decorate a handler in the text of its module, if it is certain that this changes nothing else.

Only the plain form of FC's documentation is changed: `def handler(event, context):` at the top level of the module,
defined once, with no other decorator. `ast` finds it; the text around it stays.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import attrs

from fc_callback.scaffolding.errors import NotPlaced
from fc_callback.scaffolding.line_edits import newline_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

INITIALIZER = "initialize"
_DECORATOR, _OWN_INITIALIZER, _PACKAGE = "task_callback", "initializer", "fc_callback"
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_ANYTHING = {"Any", "typing.Any", "object"}  # annotations without a meaning for task_callback
_ARGUMENTS = 2  # the event and the context
_HEADER = re.compile(r"#!|#.*coding[:=]")  # stays at the head of a file
# As Python counts lines. `str.splitlines` also ends one at a form feed.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@attrs.frozen(kw_only=True)
class _HeadPlace:
    """Where imports are added: before a line (from 0), with a blank line before them, and a number of them behind."""

    line: int
    blank_before: bool
    blanks_after: int


@attrs.frozen(kw_only=True)
class HandlerModule:
    """A handler's module, as `ast` sees it.

    Attributes:
        text: The module's text.
        tree: Its syntax tree.
        handler: The name of the handler.
    """

    text: str = attrs.field(repr=False)
    tree: ast.Module = attrs.field(repr=False)
    handler: str

    @property
    def is_task(self) -> bool:
        """Whether `task_callback` makes the handler: as its decorator, or in the assignment of its name."""
        names = {alias for name, alias in self._imported() if name == _DECORATOR}
        makers: list[ast.expr] = [decorator for function in self._functions() for decorator in function.decorator_list]
        makers += [
            one.value
            for one in self.tree.body
            if isinstance(one, ast.Assign)
            and any(isinstance(target, ast.Name) and target.id == self.handler for target in one.targets)
        ]
        return any(
            (isinstance(node, ast.Name) and node.id in names)
            or (isinstance(node, ast.Attribute) and node.attr == _DECORATOR)
            for maker in makers
            for node in ast.walk(maker)
        )

    @property
    def has_initializer(self) -> bool:
        """Whether the module has our function for FC's initializer: `initialize = initializer`."""
        ours = {alias for name, alias in self._imported() if name == _OWN_INITIALIZER}
        return any(
            isinstance(one, ast.Assign)
            and isinstance(one.value, ast.Name)
            and one.value.id in ours
            and any(isinstance(target, ast.Name) and target.id == INITIALIZER for target in one.targets)
            for one in self.tree.body
        )

    @property
    def has_other_initializer(self) -> bool:
        """Whether the module uses that name for something else."""
        return not self.has_initializer and INITIALIZER in set(_bindings(self.tree))

    def _functions(self) -> list[_Function]:
        return [one for one in self.tree.body if isinstance(one, _Function) and one.name == self.handler]

    def _imported(self) -> list[tuple[str, str]]:
        """Return what the module imports from this package, each with its name in the module."""
        froms = [one for one in self.tree.body if isinstance(one, ast.ImportFrom) and one.module == _PACKAGE]
        return [(alias.name, alias.asname or alias.name) for one in froms for alias in one.names]

    def with_task(self, decorator: str | None, *, initializer: bool) -> str:
        """Return the module's text with a decorated handler, and with a function for FC's initializer.

        Args:
            decorator: The decorator's line, for a handler for which `why_unsafe` is empty; None leaves the handler as it is.
            initializer: Whether the module gets the function.

        Raises:
            NotPlaced: It is not certain that the module would mean the same.
        """
        if decorator is None and not initializer:
            return self.text
        names = {_DECORATOR: decorator is not None, _OWN_INITIALIZER: initializer}
        wanted = sorted(name for name, is_wanted in names.items() if is_wanted)
        ours = {alias for name, alias in self._imported() if name == alias}
        if taken := sorted((set(wanted) - ours) & set(_bindings(self.tree))):
            raise NotPlaced(f"the module uses the name {taken[0]} for something else")
        missing = [name for name in wanted if name not in ours]
        head = [f"from {_PACKAGE} import {', '.join(missing)}"] if missing else []
        if initializer:
            head += ["", f"{INITIALIZER} = {_OWN_INITIALIZER}"]
        lines, newline = _LINE.findall(self.text), newline_of(self.text)
        place = self._line_for_imports(lines)
        if head and place.blank_before:
            head.insert(0, "")
        if head:
            head += [""] * place.blanks_after
        if decorator:
            lines = _with_lines_at(lines, self._functions()[0].lineno - 1, [decorator], newline)
        changed = "".join(_with_lines_at(lines, place.line, head, newline))
        return self._proved(changed, statements=bool(missing) + initializer, decorated=decorator is not None)

    def why_unsafe(self) -> str:
        """Return why the handler cannot be decorated by an edit of the text; empty if it can."""
        functions = self._functions()
        if len(functions) != 1 or [*_bindings(self.tree)].count(self.handler) != 1:
            return "it is not defined exactly once, by a `def` at the top level of the module"
        function = functions[0]
        if function.decorator_list:
            return "it has other decorators, and you know whether they can stay below @task_callback"
        arguments = function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        if len(plain) != _ARGUMENTS or arguments.vararg or arguments.kwarg or arguments.kwonlyargs:
            return "its parameters are not exactly the event and the context"
        event, context = plain
        if context.arg == "start_response":
            return "it is a WSGI application, and a task gets an event"
        if event.annotation and ast.unparse(event.annotation).strip("'\"") not in {"bytes", *_ANYTHING}:
            return "with @task_callback the annotation of its event decides what it gets; without, FC gives it bytes"
        if context.annotation and ast.unparse(context.annotation).strip("'\"") not in _ANYTHING:
            return "@task_callback reads the annotation of its context"
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function)):
            return "it yields, and a task has one result"
        return ""

    def _line_for_imports(self, lines: Sequence[str]) -> _HeadPlace:
        """Return the place behind the imports at the head of the module, else behind its docstring."""
        head: ast.stmt | None = None
        for index, statement in enumerate(self.tree.body):
            is_docstring = index == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not is_docstring and not isinstance(statement, ast.Import | ast.ImportFrom):
                break
            head = statement
        after = next((one for one in self.tree.body if head is None or one.lineno > head.lineno), None)
        first = _first_line(after) - 1 if after else len(lines)
        while head is None and first and lines[first - 1].startswith("#") and not _HEADER.match(lines[first - 1]):
            first -= 1  # a comment stays above what it is about
        end = (head.end_lineno or head.lineno) if head else first
        if any(one is not head and one.lineno <= end < (one.end_lineno or one.lineno) for one in self.tree.body):
            raise NotPlaced("a statement shares a line with the imports")
        wanted = 0 if after is None else 2 if isinstance(after, _Function | ast.ClassDef) else 1
        following = lines[end].strip() if end < len(lines) else ""
        return _HeadPlace(
            line=end,
            blank_before=head is not None and not isinstance(head, ast.Import | ast.ImportFrom),
            blanks_after=wanted if end == first else int(bool(following)),
        )

    def _proved(self, changed: str, *, statements: int, decorated: bool) -> str:
        """Return the changed text if only the decorator and the statements at its head are new."""
        try:
            tree = ast.parse(changed)
        except (SyntaxError, ValueError):
            raise NotPlaced("the edit would break the module") from None
        if decorated:
            del next(
                one for one in tree.body if isinstance(one, _Function) and one.name == self.handler
            ).decorator_list[0]
        old, new = ([ast.dump(one) for one in each.body] for each in (self.tree, tree))
        at = next((index for index, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old))
        if len(new) != len(old) + statements or new[:at] + new[at + statements :] != old:
            raise NotPlaced("the edit would change the meaning of the module")
        return changed


def read_handler_module(text: str, handler: str) -> HandlerModule:
    """Read the module of a handler.

    Raises:
        NotPlaced: It is not a module that this Python can read.
    """
    try:
        return HandlerModule(text=text, tree=ast.parse(text), handler=handler)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
        raise NotPlaced(f"the module has a syntax error{line}") from None


def _with_lines_at(lines: Sequence[str], index: int, new: Sequence[str], newline: str) -> list[str]:
    before = [*lines[:index]]
    if new and before and not before[-1].endswith(("\r", "\n")):
        before[-1] += newline  # the last line of the file
    return [*before, *(f"{line}{newline}" for line in new), *lines[index:]]


def _own_nodes(function: _Function) -> Iterator[ast.AST]:
    """Return the nodes of a function without those of the functions inside of it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(one.lineno for one in decorators)])


def _bindings(tree: ast.Module) -> Iterator[str]:
    """Return each name as often as the module's own statements bind it, and `global` declares it in a function."""
    waiting: list[ast.AST] = [*tree.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            yield from (name for each in ast.walk(node) if isinstance(each, ast.Global) for name in each.names)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        waiting += ast.iter_child_nodes(node)
