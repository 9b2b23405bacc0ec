"""Tables of rules by op type.

One rule serves one op type or a family. A rule names the attributes that it was written
for; a node with another attribute is not handed to it. Registering a type twice raises.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple, TypeVar

import tensorflow.compat.v1 as tf
from absl import logging
from tensorflow.core.framework import attr_value_pb2

from tf1pruning.errors import Tf1PruningError
from tf1pruning.graph import view as view_lib
from tf1pruning.names import TensorRef

RuleFunction = TypeVar('RuleFunction', bound=Callable[..., Any])


class Family(NamedTuple):
    """Op types that one rule serves.

    Attributes:
      ops: op types.
      attributes: names, separated by blanks, that its rules are written for.
    """

    ops: Tuple[str, ...]
    attributes: str


# Private attributes that most nodes of a meta graph have.
_NOTES = ('_output_shapes', '_class')


class Entry(NamedTuple):
    """A rule and the attributes it was written for."""

    function: Callable[..., Any]
    attributes: frozenset


class NodeView:
    """A node as a rule sees it: its attributes and static shapes."""

    def __init__(self, node: tf.NodeDef, view: view_lib.GraphView):
        self.node = node
        self._view = view

    def attr(self, name: str) -> attr_value_pb2.AttrValue:
        """An attribute of the node."""
        return view_lib.attribute(self.node, name)

    def shape(self, output: int = 0) -> view_lib.Shape:
        """Static shape of an output.

        Raises:
          Unsupported: if its rank is unknown.
        """
        shape = self._view.shape(TensorRef(self.node.name, output))
        if shape is None:
            raise Unsupported('an output of unknown rank')
        return shape

    def input_shape(self, position: int) -> view_lib.Shape:
        """Static shape of an input.

        Raises:
          Unsupported: if its rank is unknown.
        """
        shape = self._view.shape(self._view.refs(self.node)[position])
        if shape is None:
            raise Unsupported('an input of unknown rank')
        return shape


class Unsupported(Exception):
    """A rule meets a case that it was not written for; the message says which."""


class Registry:
    """Rules of one interpretation of the graph: of labels or of constants."""

    def __init__(self, what: str):
        self._what = what
        self._entries: Dict[str, Entry] = {}

    def register(
        self, *ops: str, attributes: str = ''
    ) -> Callable[[RuleFunction], RuleFunction]:
        """Decorator: the rule of the op types `ops`.

        Args:
          *ops: op types.
          attributes: names, separated by blanks, that the rule was written for.

        Raises:
          ValueError: if an op type has a rule already.
        """

        def decorate(function: RuleFunction) -> RuleFunction:
            for op in ops:
                if op in self._entries:
                    raise ValueError(f'op {op!r} has a {self._what} rule already')
                known = frozenset((*attributes.split(), *_NOTES))
                self._entries[op] = Entry(function, known)
            return function

        return decorate

    def register_family(self, family: Family) -> Callable[[RuleFunction], RuleFunction]:
        """Decorator: the rule of a family.

        Raises:
          ValueError: like `register`.
        """
        return self.register(*family.ops, attributes=family.attributes)

    def apply(self, node: tf.NodeDef, *arguments: Any) -> Any:
        """What the rule of a node makes of some arguments.

        Raises:
          Unsupported: if there is no rule, or it cannot follow the node. A rule that
            fails has a bug: it follows nothing, and a warning says so.
        """
        rule = self.find(node)
        if rule is None:
            raise Unsupported(f'no rule for {node.op}')
        try:
            return rule(*arguments)
        except (Unsupported, Tf1PruningError):
            raise
        except Exception as error:
            said = f'{type(error).__name__}: {error}'
            logging.warning(
                'The %s rule of %s has a bug, found at node %r (%s). What reaches the '
                'node stays as it is. Please report this.',
                self._what,
                node.op,
                node.name,
                said,
            )
            raise Unsupported(f'a bug in the rule of {node.op} ({said})') from error

    def find(self, node: tf.NodeDef) -> Optional[Callable[..., Any]]:
        """The rule for a node, or None if its type has none.

        Raises:
          Unsupported: if the node has an attribute that the rule does not know.
        """
        entry = self._entries.get(node.op)
        if entry is None:
            return None
        if not entry.attributes.issuperset(node.attr):
            for name in node.attr:
                if not name.startswith('_') and name not in entry.attributes:
                    raise Unsupported(f'attribute {name!r} of {node.op}')
        return entry.function

    def ops(self) -> frozenset:
        """All op types that have a rule."""
        return frozenset(self._entries)
