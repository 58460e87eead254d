#!/usr/bin/env python3
"""Makes a manual page of section 5 out of a documented TOML file: server.toml.example or device.toml.

usage: toml_man.py NAME FILE PAGE

The first comment becomes the description, `[section]` a heading, and each key (`key = value`, or `#key = value` where
the value is a default) an entry with the comment above it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

KEY = re.compile(r"#?([a-z_]+) = (.*)")
SECTION = re.compile(r"\[([a-z_]+)\]")


def escaped(text: str) -> str:
    """Text as roff prints it unchanged: no escapes, no request at the start of a line."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text[:1] in (".", "'") else text


def entries(lines: list[str]) -> list[str]:
    page: list[str] = []
    comment: list[str] = []

    def say_comment() -> None:
        page.extend(escaped(line) for line in comment)
        comment.clear()

    for line in lines:
        if found := SECTION.fullmatch(line):
            page.append(f'.SH "[{found[1]}]"')
        elif found := KEY.fullmatch(line):
            page += [".TP", f"\\fB{found[1]}\\fR = {escaped(found[2])}"]
            say_comment()
        elif line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif not line and comment:
            page.append(".PP")
            say_comment()
    return page


def man_page(name: str, text: str) -> str:
    head, _, rest = text.partition("\n\n")
    path, _, what = head.splitlines()[0].removeprefix("# ").partition(": ")
    description = [what[0].upper() + what[1:], *(line.removeprefix("# ") for line in head.splitlines()[1:])]
    short = re.split("[.,:]", what)[0]
    lines = [
        f'.TH {name.upper()} 5 "" "RDV" "RDV"',
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(short)}",
        ".SH DESCRIPTION",
        f".I {path}",
        ".PP",
        *(escaped(line) for line in description),
        ".SH KEYS",
        *entries(rest.splitlines()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    name, example, page = sys.argv[1:]
    Path(page).write_text(man_page(name, Path(example).read_text(encoding="utf-8")), encoding="utf-8")
