"""How the tests in the lab are reported: for people, and with the sum that scripts/test adds up."""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable


class Report(unittest.TestResult):
    """One line per promise; what failed is told at once, with the daemons' last words."""

    def __init__(self, last_words: Callable[[], str]) -> None:
        """`last_words`: what the daemons said, for a test that failed."""
        super().__init__()
        self.passed = 0
        self._file = ""
        self._last_words = last_words

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._started = time.monotonic()
        if self._file != (file := type(test).__module__):
            self._file = file
            print(f"\n{file.removeprefix('test_').replace('_', ' ')}", flush=True)

    def _line(self, mark: str, test: unittest.TestCase, more: str = "") -> None:
        name = getattr(test, "_testMethodName", str(test))
        promise = name.removeprefix("test_").replace("_", " ")
        seconds = time.monotonic() - getattr(self, "_started", time.monotonic())
        print(f"  {mark:<4} {promise} ({seconds:.1f} s){more}", flush=True)

    def addSuccess(self, test: unittest.TestCase) -> None:
        self.passed += 1
        self._line("ok", test)

    def _wrong(self, test: unittest.TestCase, trace: str) -> None:
        self._line("FAIL", test)
        for line in (trace + self._last_words()).rstrip().splitlines():
            print(f"       {line}")

    def addFailure(self, test: unittest.TestCase, err) -> None:
        super().addFailure(test, err)
        self._wrong(test, self.failures[-1][1])

    def addError(self, test: unittest.TestCase, err) -> None:
        super().addError(test, err)
        self._wrong(test, self.errors[-1][1])

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._wrong(subtest, self._exc_info_to_string(err, test))
