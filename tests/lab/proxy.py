"""The customer's HTTP proxy: squid on the host `proxy`, as Debian packages it (squid-openssl).

The same on a router is a firewall that opens TLS by itself: nobody is told to use it.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from .host import Host
from .people import Privileges
from .process import run, until
from .topology import PROXY

PORT = 3128
TLS_PORT = 3129  # a firewall's, where it leads others' TLS connections to
USER, PASSWORD = "boiler", "se:cr@t%"
REALM = "Royal Champagne"
INSPECTOR = "Royal Champagne Inspection CA"
SQUID = Privileges("proxy")
HELPERS = Path("/usr/lib/squid")
CONFIG = """# squid in the lab
http_port {address}:{port}{bump}
{firewall}
visible_hostname proxy.customer.lan
pid_filename none
cache deny all
cache_mem 4 MB
access_log none
cache_log /dev/null
coredump_dir none
pinger_enable off
shutdown_lifetime 0 seconds
acl tls port 443
http_access deny !tls
http_access deny !CONNECT
{access}
"""
ACCESS = {
    "none": "http_access allow all",
    "basic": """auth_param basic program {helpers}/basic_ncsa_auth {directory}/basic
auth_param basic children 1 startup=1
auth_param basic realm {realm}
acl people proxy_auth REQUIRED
http_access allow people
http_access deny all""",
    "digest": """auth_param digest program {helpers}/digest_file_auth -c {directory}/digest
auth_param digest children 1 startup=1
auth_param digest realm {realm}
acl people proxy_auth REQUIRED
http_access allow people
http_access deny all""",
}
BUMP = " ssl-bump generate-host-certificates=on dynamic_cert_mem_cache_size=1MB cert={directory}/ca.pem"
BUMP_ACCESS = """
sslcrtd_program {helpers}/security_file_certgen -s {directory}/certificates -M 4MB
sslcrtd_children 1 startup=1
ssl_bump bump all
tls_outgoing_options flags=DONT_VERIFY_PEER"""


FIREWALL = """
table inet lab_inspects {{
  chain prerouting {{ type nat hook prerouting priority dstnat;
    ip saddr {client} tcp dport 443 redirect to :{port}
  }}
}}
"""


def start_firewall(router: Host, address: str, client: str) -> None:
    """A router opens all TLS of this client; `address` is the router's own."""
    start(router, inspects=True, address=address)
    router.run("nft", "-f", "-", stdin=FIREWALL.format(client=client, port=TLS_PORT))


def stop_firewall(router: Host) -> None:
    """Twice is once."""
    router.run("nft", "add table inet lab_inspects; delete table inet lab_inspects")
    stop(router)


def start(host: Host, wants: str = "none", inspects: bool = False, address: str = PROXY) -> None:
    """Starts it anew, with what it wants of its users: "none", "basic" or "digest". With `inspects` it opens TLS."""
    stop(host)
    directory = host.directory / "squid"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    (directory / "basic").write_text(f"{USER}:{run(['openssl', 'passwd', '-5', PASSWORD]).stdout}")
    ha1 = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
    (directory / "digest").write_text(f"{USER}:{REALM}:{ha1}\n")
    words = {"helpers": HELPERS, "directory": directory, "realm": REALM}
    access = ACCESS[wants].format(**words)
    if inspects:
        _make_ca(directory)
        access += BUMP_ACCESS.format(**words)
    config = directory / "squid.conf"
    bump = BUMP.format(**words) if inspects else ""
    firewall = f"https_port {address}:{TLS_PORT} intercept{bump}" if inspects else ""
    config.write_text(CONFIG.format(address=address, port=PORT, bump=bump, firewall=firewall, access=access))
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, "proxy", "proxy")
    if inspects:
        argv = [HELPERS / "security_file_certgen", "-c", "-s", directory / "certificates", "-M", "4MB"]
        host.run(*argv, privileges=SQUID)
    host.start("squid", "squid", "-N", "-d1", "-f", config, privileges=SQUID)
    until("the proxy", lambda: host.listens(PORT), 30)


def stop(host: Host) -> None:
    host.background("squid").stop()


def _make_ca(directory: Path) -> None:
    """The key and certificate that it signs its own certificates for others' servers with."""
    key, certificate = directory / "ca.key", directory / "ca.crt"
    run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={INSPECTOR}"]
        + ["-keyout", str(key), "-out", str(certificate)]
    )
    (directory / "ca.pem").write_text(key.read_text() + certificate.read_text())
