"""Options of a repair."""

from __future__ import annotations

import dataclasses

from tf1pruning import typed
from tf1pruning.errors import OptionError


@typed.checked
@dataclasses.dataclass(frozen=True)
class RepairOptions:
    """How a network is repaired.

    Attributes:
      memory: bytes that the moments of layers may take at a time. A layer that needs
        more is repaired by its channels (see `channel_regression`).
      disk: bytes that temporary files may take. With fewer, more is computed again.
      seed: of the choice of pixels of large images.

    Raises:
      OptionError: if a value is out of range.
    """

    memory: int = 1 << 30
    disk: int = 1 << 32
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ('memory', 'disk'):
            if getattr(self, name) < 0:
                raise OptionError(
                    f'{name} is {getattr(self, name)}; expected a number of bytes.',
                    options=(name,),
                )
        if not 0 <= self.seed < 1 << 32:
            raise OptionError(
                f'The seed is {self.seed}; expected from 0 to 2**32 - 1.',
                options=('seed',),
            )
