"""Which channels of a network move together. Opens no file and runs no session.

Importing this package registers the rules.
"""

from tf1pruning.channels import constant_rules, rules

__all__ = ['constant_rules', 'rules']
