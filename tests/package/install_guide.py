"""INSTALL.md as a list of commands: the blocks that say which machine they are for, as "```sh server"."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lab.host import REPO

BLOCK = re.compile(r"^```sh (?P<where>[a-z]+)(?P<purge> purge)?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
PLACES = ("server", "device", "master", "laptop")


@dataclass(frozen=True)
class Block:
    where: str  # server, device (every one), master, laptop
    text: str


def blocks(purge: bool = False) -> list[Block]:
    """The blocks that install, or those that purge, in the order of the text."""
    text = (REPO / "INSTALL.md").read_text()
    found = [(Block(m["where"], m["text"]), bool(m["purge"])) for m in BLOCK.finditer(text)]
    assert all(block.where in PLACES for block, _ in found), found
    return [block for block, purges in found if purges is purge]
