"""Finds the channels of a network that go together; no files, no sessions.

Importing this package registers the rules.
"""

from tf1pruning.channels import constant_rules, rules

__all__ = ['constant_rules', 'rules']
