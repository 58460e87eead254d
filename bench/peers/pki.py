"""Throw-away certificates and ssh keys for the peers: one ECDSA P-256 CA, as RDV has it."""

from __future__ import annotations

from pathlib import Path

from lab.process import run
from lab.topology import RDV_ADDRESS

CA = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"]
LEAF = """basicConstraints=CA:FALSE
keyUsage=digitalSignature
extendedKeyUsage={usage}
subjectAltName=IP:{address}
"""
EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
DAYS = ["-days", "30"]


class Pki:
    """In `directory`: ca.crt; server, master, onsite as .crt, .key and .pem (both); ssh_host, ssh_user."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __getitem__(self, file: str) -> str:
        return str(self.directory / file)

    def make(self) -> None:
        """Makes what is missing."""
        if (self.directory / "authorized_keys").exists():
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        extensions = [word for extension in CA for word in ("-addext", extension)]
        run(["openssl", "req", "-x509", *EC, *DAYS, "-subj", "/CN=lab", *extensions]
            + ["-keyout", self["ca.key"], "-out", self["ca.crt"]])  # fmt: skip
        for name, usage in (("server", "serverAuth"), ("master", "clientAuth"), ("onsite", "clientAuth")):
            self._issue(name, usage)
        for name in ("ssh_host", "ssh_user"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self[name]])
        (self.directory / "authorized_keys").write_text((self.directory / "ssh_user.pub").read_text())

    def _issue(self, name: str, usage: str) -> None:
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(LEAF.format(usage=usage, address=RDV_ADDRESS))
        run(["openssl", "req", *EC, "-subj", f"/UID={name}/CN={name}"]
            + ["-keyout", self[f"{name}.key"], "-out", self[f"{name}.csr"]])  # fmt: skip
        run(["openssl", "x509", "-req", *DAYS, "-CA", self["ca.crt"], "-CAkey", self["ca.key"], "-CAcreateserial"]
            + ["-in", self[f"{name}.csr"], "-out", self[f"{name}.crt"], "-extfile", str(extensions)])  # fmt: skip
        both = (self.directory / f"{name}.crt").read_text() + (self.directory / f"{name}.key").read_text()
        (self.directory / f"{name}.pem").write_text(both)
