"""The machine: what it is, which processors are whose, and how processes are started and ended."""

import os
import platform
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "peers"

SERVER_CPU = "0"
CLIENT_CPU = "1"
BOTH_CPUS = "0,1"


class Trouble(Exception):
    """Something that the user has to see to."""


def output(*command):
    """What a program says of itself, on whichever of its outputs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except FileNotFoundError:
        raise Trouble(f"there is no {command[0]} here")
    return (done.stdout + done.stderr).strip()


def install(what, command, cwd=ROOT):
    """Runs a command that installs something; it may take its time, and must succeed."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=1800)
    except FileNotFoundError:
        raise Trouble(f"{what} cannot be installed: there is no {command[0]} here")
    if done.returncode != 0:
        raise Trouble(f"{what} cannot be installed:\n{done.stdout}{done.stderr}")


def describe():
    """Kernel, processor, memory."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    return {
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": model[1].strip() if model else platform.machine(),
        "cpus": os.cpu_count(),
        "memory_gib": round(int(memory[1]) / 1024**2) if memory else None,
    }


def free_port():
    """A port that nobody has now. Each start gets another one, so that connections of the run before, which
    the kernel still remembers, are in nobody's way."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def pinned(cpus, command):
    return ["taskset", "-c", cpus, *map(str, command)]


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Process:
    """A server that runs until it is left: `with Process(...) as process`."""

    def __init__(self, command, cpus, port, env=None, log="server.log", workers=0):
        WORK.mkdir(parents=True, exist_ok=True)
        self.log, self.port, self.workers = WORK / log, port, workers
        with open(self.log, "w") as log_file:
            self.popen = subprocess.Popen(
                pinned(cpus, command),
                env={**os.environ, **(env or {})},
                cwd=WORK,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self):
        try:
            self.wait_until_it_listens()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def wait_until_it_listens(self):
        """And until its workers are there."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.popen.poll() is not None:
                break
            with socket.socket() as probe:
                listens = probe.connect_ex(("127.0.0.1", self.port)) == 0
                if listens and len(self.pids) > self.workers:
                    return
            time.sleep(0.02)
        raise Trouble(f"{self.popen.args} does not listen:\n{self.log.read_text()[-2000:]}")

    @property
    def pids(self):
        """It and its children."""
        return [self.popen.pid, *children(self.popen.pid)]

    def stop(self):
        """Ends it, and what it has started, by their ids."""
        below = children(self.popen.pid)
        self.popen.terminate()
        try:
            self.popen.wait(3)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            for pid in below:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
