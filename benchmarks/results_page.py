"""`docs/results.md`: one section per experiment, each written by its own command."""

from __future__ import annotations

import os
import platform
import re

from tf1pruning import files

INTRODUCTION = """# Results

Every section is written by the command that it names, and says what came out.
"""


def machine() -> str:
    """The machine in a few words."""
    return f'{platform.machine()}, {os.cpu_count()} cores, no GPU, shared'


def write_section(path: str, name: str, text: str) -> None:
    """Puts a section into the document, in the place of an older one of its name.

    Args:
      path: of the document; made if it is not there.
      name: of the section, for its markers.
      text: Markdown.

    Raises:
      OutputError: if the document cannot be written.
    """
    begin, end = f'<!-- begin {name} -->', f'<!-- end {name} -->'
    section = f'{begin}\n{text.strip()}\n{end}\n'
    document = INTRODUCTION
    if os.path.exists(path):
        with open(path, encoding='utf-8') as file:
            document = file.read()
    pattern = re.compile(f'{re.escape(begin)}.*?{re.escape(end)}\n', re.DOTALL)
    if pattern.search(document):
        document = pattern.sub(lambda _: section, document)
    else:
        document = f'{document.rstrip()}\n\n{section}'
    files.write_text(path, document)
