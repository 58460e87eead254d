"""Who is measured when: rdv beside each of the others, so that a ratio compares two runs that followed each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from lab.process import LabError

from .figures import Report, progress

class Named(Protocol):
    @property
    def name(self) -> str: ...


S = TypeVar("S", bound=Named)
FAILURES_MAX = 2  # of one subject in one case, then it is left out


def groups(rdv: S, others: Sequence[S], number: int) -> list[list[S]]:
    """The order of round `number`: one other, rdv, one other; and so on. Every second round is turned round.

    Whoever is second may profit from the first: all take both places in turn.
    """
    if not others:
        return [[rdv]]
    ordered = list(others) if number % 2 == 0 else list(reversed(others))
    found = []
    for n in range(0, len(ordered), 2):
        first, *second = ordered[n : n + 2]
        alone_and_even = not second and number % 2 == 0
        found.append([rdv, first] if alone_and_even else [first, rdv, *second])
    return found


def _short(measured: tuple[str, dict[str, float]]) -> str:
    """The first two figures of a subject, for who watches."""
    name, figures = measured
    return " ".join([name, *(f"{value:.4g}" for value in list(figures.values())[:2])])


class Taken:
    """What one case gave: `alone[subject][metric]`, and `pairs[subject][metric]` as (rdv, subject) of the same group."""

    def __init__(self) -> None:
        self.alone: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        self.pairs: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
        self.failures: dict[str, int] = defaultdict(int)

    def add(self, group: dict[str, dict[str, float]]) -> None:
        """The figures of one group by subject and metric."""
        for name, figures in group.items():
            for metric, value in figures.items():
                self.alone[name][metric].append(value)
                if name != "rdv" and metric in group.get("rdv", {}):
                    self.pairs[name][metric].append((group["rdv"][metric], value))


def take(
    report: Report,
    label: str,
    rdv: S,
    others: Sequence[S],
    rounds: int,
    measure: Callable[[S], dict[str, float]],
) -> Taken:
    """Measures all subjects in turn. One that fails FAILURES_MAX times is left out; when that is rdv, LabError."""
    taken = Taken()
    for number in range(rounds):
        report.wait_calm()
        for group in groups(rdv, [o for o in others if taken.failures[o.name] < FAILURES_MAX], number):
            measured = {}
            for subject in group:
                try:
                    measured[subject.name] = measure(subject)
                except LabError as error:
                    progress(f"{label}: {subject.name} failed: {error}")
                    taken.failures[subject.name] += 1
                    if subject is rdv and taken.failures["rdv"] >= FAILURES_MAX:
                        raise
            taken.add(measured)
            progress(f"{label} {number + 1}/{rounds}: " + ", ".join(map(_short, measured.items())))
    return taken
