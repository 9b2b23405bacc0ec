"""The tests, and what they spare TensorFlow: work that it repeats for each graph.

It is imported before TensorFlow is. What a Python that is started from nothing does is
as it is for users.
"""

import inspect
import types
import weakref

from google.protobuf import text_format
from google.protobuf.internal import api_implementation

_full_arg_spec = inspect.getfullargspec
_message_to_string = text_format.MessageToString
_specs = weakref.WeakKeyDictionary()


def _known_spec(function):
    """TensorFlow asks at each call of a function with a deprecated argument."""
    if not isinstance(function, types.FunctionType):
        return _full_arg_spec(function)
    if function not in _specs:
        _specs[function] = _full_arg_spec(function)
    return _specs[function]


def _text(message, *options, **more):
    """The same text, written in C++: each Estimator writes its graph as text."""
    if options or more:
        return _message_to_string(message, *options, **more)
    return str(message)


inspect.getfullargspec = _known_spec
if api_implementation.Type() == 'cpp':
    text_format.MessageToString = _text
