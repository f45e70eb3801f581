"""A terminal of a size, in which a program runs as a person would start it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

SECONDS = 60


def run(*argv, columns=120, env=None, terminal=("stdout", "stderr"), code="gpu_admission.commands.main"):
    """Run our program; returns its exit code, all that the terminal got, and what went elsewhere."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    streams = {name: follower if name in terminal else subprocess.PIPE for name in ("stdout", "stderr")}
    environ = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}}
    environ |= {"TERM": "xterm-256color", **(env or {})}
    process = subprocess.Popen([sys.executable, "-m", code, *argv], stdin=follower, env=environ, **streams)
    os.close(follower)
    got = _read(leader)
    elsewhere = b"".join(stream.read() for stream in (process.stdout, process.stderr) if stream is not None)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()
    return process.wait(SECONDS), got.decode(), elsewhere.decode()


def _read(leader):
    """Everything written until the other end is closed."""
    got = b""
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            if select.select([leader], [], [], 1)[0]:
                got += os.read(leader, 1 << 16)
    except OSError:  # the last one that had it open has closed it
        pass
    finally:
        os.close(leader)
    return got
