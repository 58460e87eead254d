"""What can be said of the packages without installing them."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from debian_root import packages

from lab.host import REPO
from lab.process import run

EXPOSURE_MAX = {"rdv-server": 1.5, "tundev-agent": 1.5, "tundev-netd": 2.2}  # systemd-analyze(1), "security": 0 to 10
DAEMONS = ("rdv-server", "tundev-agent", "tundev-netd")
COMMANDS = ("rdvctl", "tundev", "masterdev", "onsitedev")
OPTION = re.compile(r"(?<![\w-])(--?[a-zA-Z][a-z-]*)")


class Packages(unittest.TestCase):
    """With the packages unpacked side by side in `root`."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="rdv-packages-")
        cls.addClassCleanup(folder.cleanup)
        cls.root = Path(folder.name)
        for deb in packages():
            run(["dpkg-deb", "--extract", str(deb), str(cls.root)])

    def program(self, name: str) -> Path:
        return self.root / "usr" / ("sbin" if name in DAEMONS else "bin") / name


class TheFiles(Packages):
    def test_lintian_finds_nothing_to_say(self) -> None:
        done = subprocess.run(
            ["lintian", "--allow-root", "--fail-on=error,warning", *map(str, packages())],
            text=True,
            capture_output=True,
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)

    def test_the_version_is_the_projects(self) -> None:
        version = re.search(r"project\(rdv VERSION ([\d.]+)", (REPO / "CMakeLists.txt").read_text())[1]
        for deb in packages():
            self.assertEqual(run(["dpkg-deb", "-f", str(deb), "Version"]).stdout.strip(), version)
        self.assertIn(version, run([str(self.program("rdv-server")), "--version"]).stdout)

    def test_every_unit_is_exposed_no_more_than_it_must(self) -> None:
        for name, limit in EXPOSURE_MAX.items():
            unit = f"{name}.service"
            done = run(
                ["systemd-analyze", "security", "--offline=yes", f"--root={self.root}", "--no-pager"]
                + [f"--threshold={round(limit * 10)}", unit],
                check=False,
            )
            found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
            self.assertTrue(found, done.stdout + done.stderr)
            self.assertLessEqual(float(found[1]), limit, done.stdout)
            self.assertEqual(done.returncode, 0, done.stderr)
            print(f"       {unit}: {found[1]}, at most {limit}")

    def test_systemd_understands_every_line_of_the_units(self) -> None:
        units = sorted((self.root / "lib/systemd/system").iterdir())
        self.assertEqual(len(units), 6)
        done = run(["systemd-analyze", "verify", "--man=no", f"--root={self.root}", *(u.name for u in units)], check=False)
        ours = [line for line in (done.stdout + done.stderr).splitlines() if re.search(r"rdv-|tundev-", line)]
        # The packages alone lack what every machine has.
        self.assertEqual([line for line in ours if "not found" not in line and "Failed to" not in line], [])


class TheManualPages(Packages):
    def help(self, *argv: str) -> str:
        return run([str(self.program(argv[0])), *argv[1:], "--help"]).stdout

    def all_help(self, *argv: str) -> str:
        """With that of its commands, and of theirs."""
        text = self.help(*argv)
        below = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
        names = re.findall(r"^  ([a-z][a-z0-9]*)", below[1], re.MULTILINE) if below else []
        return text + "".join(self.all_help(*argv, name) for name in names)

    def commands(self, *argv: str) -> set[str]:
        below = re.search(r"^Subcommands:\n((?:  .*\n)+)", self.help(*argv), re.MULTILINE)
        return set(re.findall(r"^  ([a-z][a-z0-9]*)", below[1], re.MULTILINE)) if below else set()

    def page(self, name: str) -> str:
        """As plain text, unwrapped."""
        files = list((self.root / "usr/share/man").glob(f"man?/{name}.?.gz"))
        self.assertEqual(len(files), 1, f"pages of {name}: {files}")
        shown = subprocess.run(
            ["man", "--local-file", str(files[0])],
            text=True,
            capture_output=True,
            env=os.environ | {"MANWIDTH": "1000", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"},
        )
        self.assertEqual(shown.stderr, "")
        return shown.stdout.replace("\u2010", "-").replace("\u2212", "-")

    def test_have_exactly_the_options_and_commands_of_each_program(self) -> None:
        for name in DAEMONS + COMMANDS:
            page = self.page(name)
            own = {line.strip() for line in page.splitlines() if re.match(r"\s+-", line)}
            documented = {option for line in own for option in OPTION.findall(re.split(r"\s{3,}", line)[0])}
            offered = set(OPTION.findall(re.sub(r"\[default\].*|\(.*", "", self.option_columns(name))))
            self.assertEqual(documented, offered, name)
            for command in self.commands(name):
                self.assertRegex(page, rf"\b{command}\b", name)

    def option_columns(self, name: str) -> str:
        """The left column of its help: what stands beside it is prose."""
        return "\n".join(m[0] for m in re.finditer(r"^  -\S+.*?(?=\s{2,}|$)", self.all_help(name), re.MULTILINE))

    def test_have_every_key_of_the_configuration(self) -> None:
        for name, example in (("server.toml", "rdv-server/server.toml.example"), ("device.toml", "tundev/device.toml")):
            page = self.page(name)
            for key in re.findall(r"^#?([a-z_]+) = ", (REPO / example).read_text(), re.MULTILINE):
                self.assertRegex(page, rf"(?m)^\s+{key} = ", name)


class TheCompletion(Packages):
    LIST = '{"devices":[{"name":"rpi1100","hostname":"boiler"},{"name":"rpi2"}],"online":1,"total":2}'

    def complete(self, line: str) -> list[str]:
        """What TAB offers behind `line`, with a masterdev and an rdvctl that answer as the real ones do."""
        command = line.split()[0]
        script = f"""
            source /usr/share/bash-completion/bash_completion
            source {self.root}/usr/share/bash-completion/completions/{command}
            masterdev() {{ printf '%s\\n' '{self.LIST}'; }}
            rdvctl() {{ printf '[\\n  {{\\n    "name": "rpi1100",\\n    "hostname": "x"\\n  }}\\n]\\n'; }}
            COMP_LINE={line!r} COMP_POINT={len(line)} COMP_WORDS=({line}{" ''" if line.endswith(" ") else ""})
            COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            $(complete -p {command} | sed -E 's/.*-F ([^ ]+).*/\\1/')
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return sorted(run(["bash", "-c", script]).stdout.split())

    def test_offers_the_names_of_the_onsites(self) -> None:
        self.assertEqual(self.complete("masterdev -o "), ["rpi1100", "rpi2"])
        self.assertEqual(self.complete("masterdev --open rpi1"), ["rpi1100"])
        self.assertEqual(self.complete("masterdev -m "), ["L2", "L3"])
        self.assertEqual(self.complete("masterdev --de"), ["--debug"])

    def test_offers_commands_and_devices_to_the_administrator(self) -> None:
        self.assertIn("device", self.complete("rdvctl "))
        self.assertEqual(self.complete("rdvctl device show "), ["rpi1100"])
        self.assertEqual(self.complete("rdvctl device add rpi9 --role o"), ["onsite"])
        self.assertEqual(self.complete("tundev en"), ["enroll"])
        self.assertEqual(self.complete("onsitedev st"), ["status", "stop"])
