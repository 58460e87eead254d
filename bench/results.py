"""The figures that are kept: bench/results.jsonl, from which the tables of the documentation are made."""

from __future__ import annotations

import json
import os
from pathlib import Path

FILE = Path(__file__).with_name("results.jsonl")
KEY = ("bench", "case", "subject", "metric")


class Results:
    """One line per benchmark, case, subject and metric: the last that was measured. Written anew after every case."""

    def __init__(self, path: Path = FILE) -> None:
        self.path = path
        self._lines: dict[tuple, dict] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                self._put(json.loads(line))

    def _put(self, figures: dict) -> None:
        self._lines[tuple(figures[k] for k in KEY)] = figures

    def add(self, figures: dict) -> None:
        self._put(figures)

    def keep(self) -> None:
        """To the file; whole or not at all."""
        lines = [json.dumps(self._lines[key]) for key in sorted(self._lines)]
        beside = self.path.with_suffix(".new")
        beside.write_text("".join(f"{line}\n" for line in lines))
        os.replace(beside, self.path)

    def has(self, bench: str, case: str, version: str, subjects: set[str]) -> bool:
        """True when this version's figures of all these subjects are there."""
        there = {
            subject
            for (b, c, subject, _), figures in self._lines.items()
            if (b, c) == (bench, case) and figures["version"] == version
        }
        return subjects <= there

    def find(self, bench: str, case: str, subject: str, metric: str) -> dict | None:
        return self._lines.get((bench, case, subject, metric))

    def select(self, bench: str, **wanted: str) -> list[dict]:
        """All lines of a benchmark with these values."""
        return [
            figures
            for figures in self._lines.values()
            if figures["bench"] == bench and all(figures[k] == v for k, v in wanted.items())
        ]
