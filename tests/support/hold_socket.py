#!/usr/bin/env python3
"""What systemd does for rdv-server.socket: keeps the listening sockets while the server behind them is exchanged.

usage: hold_socket.py hold PORT             holds 0.0.0.0:PORT and [::]:PORT, says so, until standard input ends
       hold_socket.py run PID COMMAND...    runs COMMAND with the sockets that the holder PID has (sd_listen_fds(3))

Both need to be in the same network namespace; the second one needs root, and is COMMAND from then on.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys

FIRST_FD = 3  # SD_LISTEN_FDS_START; the holder has them there, too
FREE_FD = 20  # above all that is used here
SYS_PIDFD_GETFD = 438


def hold(port: int) -> None:
    for at, (family, address) in enumerate(((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))):
        one = socket.socket(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind((address, port))
        one.listen(1024)
        os.set_inheritable(one.fileno(), True)
        assert one.detach() == FIRST_FD + at
    print("listening", flush=True)
    sys.stdin.read()


def run(pid: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    holder = fcntl.fcntl(os.pidfd_open(pid), fcntl.F_DUPFD, FREE_FD)
    for fd in (FIRST_FD, FIRST_FD + 1):
        taken = libc.syscall(SYS_PIDFD_GETFD, holder, fd, 0)
        if taken < 0:
            raise OSError(ctypes.get_errno(), f"cannot take descriptor {fd} of {pid}")
        kept = fcntl.fcntl(taken, fcntl.F_DUPFD, FREE_FD)
        os.close(taken)
        os.dup2(kept, fd, inheritable=True)
        os.close(kept)
    os.close(holder)
    os.environ["LISTEN_FDS"], os.environ["LISTEN_PID"] = "2", str(os.getpid())
    os.execvp(command[0], command)


def main() -> None:
    if sys.argv[1] == "hold":
        hold(int(sys.argv[2]))
    else:
        run(int(sys.argv[2]), sys.argv[3:])


if __name__ == "__main__":
    main()
