"""The servers that are compared: how each is installed, and started with its best settings."""

import os
import sys

import machine
from machine import ROOT, WORK, Process, Trouble

HERE = ROOT / "benches" / "peers"


class Server:
    """What can be measured of a server beside plain HTTP/1.1 on one processor."""

    name = ""
    #: Of the modes "tls", "http2" and "two threads".
    can = frozenset()
    #: Deliveries that take it a few seconds.
    pace = 100_000
    sub, pub = "/sub", "/pub"

    def prepare(self):
        """Installs it, and raises Trouble if that cannot be."""

    def version(self):
        raise NotImplementedError

    def start(self, cpus, mode="plain", scenario="topic"):
        raise NotImplementedError


class MockSse(Server):
    name = "mock-sse"
    can = frozenset({"tls", "http2", "two threads", "periodic"})
    pace = 400_000

    def __init__(self, binary):
        self.binary = binary

    def prepare(self):
        if not self.binary.exists():
            raise Trouble(f"{self.binary} is not there: cargo build --release --locked")
        machine.install("the certificate", [self.binary, "cert", "--certs-dir", WORK / "certs"])

    def version(self):
        return machine.output(self.binary, "--version")

    def start(self, cpus, mode="plain", scenario="topic", options=()):
        """`scenario`: the name of one of those beside this file, or a path."""
        port, named = machine.free_port(), HERE / "scenarios" / f"{scenario}.yaml"
        command = [self.binary, "--scenario", named if isinstance(scenario, str) else scenario, "--port", port]
        command += ["--certs-dir", WORK / "certs", "--watch", "off", "--log-level", "warn", "--drain", "0s", *options]
        threads = len(cpus.split(","))
        return Process(command, cpus, port, {"TOKIO_WORKER_THREADS": str(threads)}, "mock-sse.log")


NGINX = """\
load_module {modules}/ngx_nchan_module.so;
daemon off; worker_processes {workers}; worker_rlimit_nofile 20000;
pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 32768; multi_accept on; }}
http {{
  access_log off; nchan_shared_memory_size 256M; keepalive_requests 1000000; tcp_nodelay on;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{
    listen 127.0.0.1:{port} backlog=16384 {listen};
    {tls}
    location ~ ^/sub/(\\w+)$ {{
      nchan_subscriber eventsource; nchan_channel_id $1; nchan_subscriber_first_message newest;
    }}
    location ~ ^/pub/(\\w+)$ {{ nchan_publisher; nchan_channel_id $1; }}
  }}
}}
"""
MODULES = "/usr/lib/nginx/modules"


class Nchan(Server):
    name = "nchan"
    can = frozenset({"tls", "http2", "two threads"})
    pace = 300_000
    sub, pub = "/sub/a", "/pub/a"

    def prepare(self):
        if os.path.exists(f"{MODULES}/ngx_nchan_module.so"):
            return
        apt = ["apt-get", "install", "-y", "--no-install-recommends", "nginx", "libnginx-mod-nchan"]
        machine.install("nchan", apt if os.geteuid() == 0 else ["sudo", *apt])

    def version(self):
        package = machine.output("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
        nginx = machine.output("nginx", "-v").split("nginx/")[-1]
        return f"nchan {package} in nginx {nginx}"

    def start(self, cpus, mode="plain", scenario="topic"):
        port, folder = machine.free_port(), WORK / "nginx"
        folder.mkdir(parents=True, exist_ok=True)
        workers = len(cpus.split(","))
        certs = WORK / "certs"
        tls = (
            f"ssl_certificate {certs}/cert.pem; ssl_certificate_key {certs}/key.pem;"
            " ssl_protocols TLSv1.3; ssl_buffer_size 4k;"
        )
        config = NGINX.format(
            modules=MODULES,
            workers=workers,
            folder=folder,
            port=port,
            listen={"tls": "ssl", "http2": "http2"}.get(mode, "") + (" reuseport" if workers > 1 else ""),
            tls=tls if mode == "tls" else "",
        )
        path = folder / "nginx.conf"
        path.write_text(config)
        return Process(["nginx", "-c", path, "-e", folder / "error.log"], cpus, port, log="nginx.log", workers=workers)


class BetterSse(Server):
    name = "better-sse"
    pace = 150_000

    def prepare(self):
        folder = WORK / "node"
        folder.mkdir(parents=True, exist_ok=True)
        for file in (HERE / "node").iterdir():
            if file.is_file():
                (folder / file.name).write_bytes(file.read_bytes())
        if not (folder / "node_modules" / "better-sse").exists():
            machine.install("better-sse", ["npm", "ci", "--no-audit", "--no-fund"], folder)

    def version(self):
        package = (WORK / "node" / "node_modules" / "better-sse" / "package.json").read_text()
        version = package.split('"version": "')[1].split('"')[0]
        return f"better-sse {version} on Node {machine.output('node', '--version').lstrip('v')}"

    def start(self, cpus, mode="plain", scenario="topic"):
        port = machine.free_port()
        env = {"PORT": str(port), "NODE_ENV": "production"}
        return Process(["node", WORK / "node" / "server.mjs"], cpus, port, env, "better-sse.log")


class SseStarlette(Server):
    name = "sse-starlette"
    pace = 30_000

    def prepare(self):
        environment = WORK / "python"
        requirements = HERE / "python" / "requirements.txt"
        stamp = environment / "requirements.txt"
        if stamp.exists() and stamp.read_text() == requirements.read_text():
            return
        machine.install("a Python environment", [sys.executable, "-m", "venv", environment])
        pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
        machine.install("sse-starlette", [*pip, "-r", requirements])
        stamp.write_text(requirements.read_text())

    def version(self):
        pins = dict(line.split("==") for line in (HERE / "python" / "requirements.txt").read_text().split())
        python = machine.output(WORK / "python" / "bin" / "python", "--version")
        return f"sse-starlette {pins['sse-starlette']} on uvicorn {pins['uvicorn']} with uvloop, {python}"

    def start(self, cpus, mode="plain", scenario="topic"):
        port = machine.free_port()
        command = [WORK / "python" / "bin" / "python", HERE / "python" / "server.py"]
        return Process(command, cpus, port, {"PORT": str(port)}, "sse-starlette.log")


def every(binary):
    return [MockSse(binary), Nchan(), BetterSse(), SseStarlette()]
