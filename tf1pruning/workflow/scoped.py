"""A model together with the groups that the user's scopes choose in it."""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, Sequence

from tf1pruning.channels import select
from tf1pruning.channels.groups import Group
from tf1pruning.plan import Plan
from tf1pruning.workflow import stripping, views
from tf1pruning.workflow.loading import Source


@dataclasses.dataclass(frozen=True, eq=False)
class Scoped:
    """A model and its chosen groups; what is said of the one fits the other.

    Attributes:
      source: the model.
      selection: scope -> groups.
    """

    source: Source
    selection: views.Selection

    @property
    def groups(self) -> Dict[str, Group]:
        """Scope, or group name where a scope holds several groups -> group."""
        return views.by_key(self.selection)

    @property
    def layers(self) -> FrozenSet[str]:
        """Nodes of the layers that make or read the chosen channels."""
        return frozenset(n for group in self.groups.values() for n in group.kernels)

    def check_plan(self, plan: Plan) -> None:
        """Refuses the plan of another model.

        Raises:
          PlanError: unless it was made for a model like this one.
        """
        stripping.check_plan(self.source, plan)


def choose(
    source: Source, scope_names: Sequence[str], which: str = select.INNER
) -> Scoped:
    """Chooses the groups of a model that scopes name; `which`: 'inner' or 'all'.

    Raises:
      GraphError: if a scope holds no group that may be cut.
      OptionError: if `which` is neither.
    """
    return Scoped(source, select.groups_in_scopes(source.groups, scope_names, which))
