"""Which channels of a network move together. Opens no file and runs no session.

Importing this package registers the label rules.
"""

from tf1pruning.channels import rules

__all__ = ['rules']
