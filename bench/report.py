"""Writes the tables of README.md and docs/PERFORMANCE.md anew, from the figures that are kept.

A table stands between `<!-- bench NAME -->` and `<!-- bench end -->`; NAME is one of tables.TABLES. A table whose figures
are not there stays as it is.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from lab.host import REPO

from .figures import progress
from .results import Results
from .tables import TABLES

PAGES = (REPO / "README.md", REPO / "docs" / "PERFORMANCE.md")
SECTION = re.compile(r"(<!-- bench ([\w-]+) -->\n).*?(<!-- bench end -->)", re.DOTALL)


def _rewrite(page: Path, results: Results) -> list[str]:
    """Answers the names of sections nobody can write."""
    unknown = []

    def section(found: re.Match) -> str:
        head, name, end = found.groups()
        if name not in TABLES:
            unknown.append(name)
            return found.group(0)
        text = TABLES[name](results)
        if not text:
            progress(f"{page.name}: no figures for {name}: left as it is")
            return found.group(0)
        return f"{head}\n{text.strip()}\n\n{end}"

    page.write_text(SECTION.sub(section, page.read_text()))
    return unknown


def main(results: Results) -> int:
    unknown = [f"{page.name}: {name}" for page in PAGES for name in _rewrite(page, results)]
    for section in unknown:
        print(f"bench: no such table: {section}; there are {', '.join(TABLES)}", file=sys.stderr)
    return 1 if unknown else 0
