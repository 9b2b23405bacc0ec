"""The formats by name."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple, Type

from tf1pruning import names
from tf1pruning.errors import OptionError
from tf1pruning.export.checkpoint import CheckpointFormat
from tf1pruning.export.format import Format
from tf1pruning.export.frozen import FrozenFormat
from tf1pruning.export.saved_model import SavedModelFormat
from tf1pruning.export.tflite import LiteFormat

# In the order in which they are written.
_KINDS: Tuple[Type[Format], ...] = (
    CheckpointFormat,
    FrozenFormat,
    SavedModelFormat,
    LiteFormat,
)
FORMATS: Dict[str, Type[Format]] = {kind.name: kind for kind in _KINDS}


def check_known(formats: Sequence[str]) -> None:
    """Raises OptionError for a name that is no format, or no names at all."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        hint = names.did_you_mean(unknown[0], FORMATS) if unknown else ''
        raise OptionError(
            f'The formats are {",".join(formats)!r}; expected some of '
            f'{names.quoted(list(FORMATS))}. {hint}'
        )
