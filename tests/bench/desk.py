"""What the benchmarks of a running server share: a server in a directory of its own, requests, and results."""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BOTS = 16
PASSWORD = "Correct-horse-battery-9"
POLICY = {"classes": ["order"], "endpoints": ["order"], "symbols": ["39"]}
# Passwords are not what these benchmarks measure; where they are, the configuration is left as it comes.
QUICK = "argon2: {passes: 1, memory_kib: 8192}\n"
KEY_LIMIT = 1_000_000_000  # requests of a key in an hour, in a day and at once: more than any benchmark makes


class Server:
    """A server of its own. `start` and `stop` as often as wanted; `initialise` once."""

    def __init__(self, build, home, config=QUICK, port=0):
        self.build, self.home, self.port = build, home, port
        self.socket = home / "data/run/api.sock"
        self.env = dict(os.environ, HOLDFAST_DATA_DIR=str(home / "data"), HOLDFAST_HOME=str(home / "profile"),
                        HOLDFAST_ADDR=f"unix:{self.socket}")
        (home / "data").mkdir(mode=0o700)
        (home / "profile").mkdir(mode=0o700)
        self.write("holdfast.yaml", f"data_dir: {home}/data\nvenues_dir: {ROOT}/spec/venues\nlisten: 127.0.0.1:{port}\n"
                   f"mfa: {{required_roles: [none]}}\n{config}")
        for name in ("unseal", "approval", "password"):
            self.write(name, PASSWORD)
        self.process = None

    def start(self):
        with open(self.home / "log", "a") as log:
            self.process = subprocess.Popen([self.cli(), "server", "--config", str(self.home / "holdfast.yaml")],
                                            env=self.env, stderr=log, stdin=subprocess.DEVNULL)

    def write(self, name, text):
        (self.home / name).write_text(text)
        (self.home / name).chmod(0o600)

    def cli(self):
        return str(self.build / "src/cli/holdfast")

    def run(self, *words, env=None):
        done = subprocess.run([self.cli(), *words], env=env or self.env, capture_output=True, text=True, cwd=self.home,
                              stdin=subprocess.DEVNULL, timeout=60)
        if done.returncode != 0:
            sys.exit(f"bench: holdfast {' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def wait(self, *words, pause=0.1):
        """Until the command prints something: a sealed server's state comes with the same exit code as no server."""
        until = time.monotonic() + 20
        while not subprocess.run([self.cli(), *words], env=self.env, capture_output=True).stdout:
            if time.monotonic() > until or self.process.poll() is not None:
                sys.exit("bench: the server did not start:\n" + (self.home / "log").read_text())
            time.sleep(pause)

    def initialise(self):
        """One administrator, who is signed in."""
        self.wait("operator", "status")
        init = json.loads(self.run("operator", "init", "--passphrase", "--passphrase-file", "unseal", "--administrator",
                                   "admin", "--key-passphrase-file", "approval", "-o", "json"))
        self.write("token", init["enrolment_token"])
        self.run("enrol", "admin", "--enrolment-file", "token", "--password-file", "password", "--yes")

    def key(self, name, role, usage, *words):
        return json.loads(self.run("key", "create", name, "--role", role, "--usage", usage, "--per-hour", str(KEY_LIMIT),
                                   "--per-day", str(KEY_LIMIT), "--burst", str(KEY_LIMIT), *words, "-o", "json"))["key"]

    def prepare(self):
        """A Hyperliquid credential for each of the bots, who share a key, one secret with a key for a reader."""
        self.initialise()
        self.write("policy.json", json.dumps(POLICY))
        bundle = json.loads((ROOT / "docs/examples/hyperliquid.bundle.json").read_text())
        for number in range(BOTS):
            self.write("bundle.json", json.dumps({**bundle, "secret": "0x" + os.urandom(32).hex()}))
            self.run("credential", "put", f"exchange/hyperliquid/bot{number:02}", "--venue", "hyperliquid", "--scheme", "hl-l1",
                     "--policy", "policy.json", "--bundle-file", "bundle.json", "--key-passphrase-file", "approval", "--reason",
                     "bench", "--yes")
        self.write("value", "x" * 64)
        self.run("secret", "put", "bench/secret", "--value-file", "value", "--environment", "development", "--reason", "bench")
        self.bot = self.key("bench-bot", "service-account", "execute_only", "--credential", "exchange/*")
        self.reader = self.key("bench-reader", "admin", "full_access", "--access", "development")

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def tls_of(home):
    """The server's own certificate, for an nginx that does the same work."""
    return f"ssl_protocols TLSv1.3; ssl_certificate {home}/data/tls/server.crt; ssl_certificate_key {home}/data/tls/server.key;"


def web_server(home, servers):
    """nginx with two workers, listening on nginx.sock among others. The caller ends it."""
    config, user = home / "nginx.conf", "user root;" if os.getuid() == 0 else ""
    config.write_text(f"""daemon off; {user} pid {home}/nginx.pid; error_log {home}/nginx.log; worker_processes 2;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000; {servers} }}
""")
    process = subprocess.Popen(["nginx", "-c", config, "-p", home], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while not (home / "nginx.sock").exists():
        if time.monotonic() > until:
            sys.exit("bench: nginx did not start")
        time.sleep(0.05)
    return process


def wrk(port, path, seconds, *headers, scheme="https", script=None):
    """Requests a second. script: of tests/bench, which makes the requests."""
    scripted = ["-s", ROOT / "tests/bench" / script] if script else []
    out = subprocess.check_output(["wrk", "-t2", "-c128", f"-d{seconds}s", *scripted, *[w for h in headers for w in ("-H", h)],
                                   f"{scheme}://127.0.0.1:{port}{path}"], text=True)
    if "Non-2xx" in out or "Socket errors" in out:
        sys.exit("bench: wrk: " + out)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])


def load(build, socket, body, connections, seconds, directory):
    """One request again and again over so many connections: {"rate":…,"median_us":…,"p99_us":…}."""
    path = directory / "request"
    path.write_bytes(body)
    out = subprocess.run([build / "tests/bench/bench_http", socket, path, str(connections), str(seconds)],
                         capture_output=True, text=True)
    if out.returncode != 0:
        sys.exit("bench: " + out.stderr)
    return json.loads(out.stdout)


def request(method, path, token=None, body=None):
    head = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    if token:
        head.append(f"Authorization: Bearer {token}")
    if body is not None:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + (body or "")).encode()


def result(value, baseline, unit):
    return {"value": value, "baseline": baseline, "ratio": round(value / baseline, 4), "unit": unit}
