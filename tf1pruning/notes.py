"""What a user should know of a model although nothing failed."""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Note(NamedTuple):
    """A sentence for the user.

    Attributes:
      text: the sentence.
      options: names of the options that do what it advises, as errors have them.
    """

    text: str
    options: Tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text
