"""Checks of the keywords of `Pruning`."""

from __future__ import annotations

from typing import Any, List, Mapping, Optional, Sequence

from tf1pruning.ckpt import checkpoint as checkpoint_lib
from tf1pruning.errors import OptionError


def check_empty(derived: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuses keywords that are computed.

    Raises:
      OptionError: names the first that is given.
    """
    for name, value in derived.items():
        if value:
            raise OptionError(
                f'{name} is computed from the graph and the plan: leave it out.'
            )


def existing(input_ckpt_path: Optional[str]) -> str:
    """The prefix of a checkpoint that is there.

    Raises:
      OptionError: if none is named.
      CheckpointError: if it is missing or damaged.
    """
    if not input_ckpt_path:
        raise OptionError(
            f'input_ckpt_path is {input_ckpt_path!r}; expected the prefix of a '
            'checkpoint, such as model.ckpt-1000.'
        )
    return checkpoint_lib.Checkpoint(input_ckpt_path).prefix


def scopes(scope_names: Sequence[str]) -> List[str]:
    """A list of scopes.

    Raises:
      OptionError: if it is none.
    """
    if isinstance(scope_names, str) or not all(isinstance(s, str) for s in scope_names):
        raise OptionError(
            f'scope_names is {scope_names!r}; expected a list of strings.'
        )
    return list(scope_names)
