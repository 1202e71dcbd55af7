"""A real `holdfast server` with its real processes, the command line, and a client for its API."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import time

import passkey

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("HOLDFAST_BUILD", SOURCE / "build")).resolve()
PROGRAM = BUILD / "src" / "cli" / "holdfast"
VENUES = SOURCE / "spec" / "venues"
PASSPHRASE = "correct horse battery staple"
KEY_PASSPHRASE = "an approval key of its own"
PASSWORD = "Tr4ding-desk-open!"
REASON = "a test of the desk"
ROLES = ("keeper", "signer", "front")

running = []  # servers whose logs are shown when a test fails


class Failed(AssertionError):
    """What was promised did not come."""


def until(what, condition, seconds=10.0, every=0.02):
    """Waits for condition() to be true; returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(every)


def free_port():
    """Below the ports that the kernel gives to clients: one of those that calls while nobody listens could meet itself."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def yaml(value, indent=0):
    lines = []
    for key, v in value.items():
        if isinstance(v, dict):
            lines.append(" " * indent + f"{key}:")
            lines.append(yaml(v, indent + 2))
        else:
            lines.append(" " * indent + f"{key}: {v}")
    return "\n".join(lines)


# --- processes


def stat_of(pid):
    """(command, state, parent, threads) or None when there is no such process."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, rest = text.rpartition(")")
    fields = rest.split()
    return head.partition("(")[2], fields[0], int(fields[1]), int(fields[17])


def alive(pid):
    """Also while its first thread has ended and another has not: its sockets are open until then."""
    s = stat_of(pid)
    return s is not None and (s[1] != "Z" or s[3] > 1)


def children_of(parent):
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        s = stat_of(entry)
        if s and s[2] == parent and s[1] != "Z":
            found.setdefault(s[0].removeprefix("holdfast-"), int(entry))
    return found


# --- clocks

CLOCK_SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_ms;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("CLOCK_SHIFT"), O_RDONLY);

    real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    shift_ms = mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    if (!real)
        begin();
    int e = real(id, t);
    if (e == 0 && id == CLOCK_REALTIME) {
        int64_t ns = t->tv_nsec + (*shift_ms % 1000) * 1000000;
        t->tv_sec += *shift_ms / 1000 + (ns >= 1000000000) - (ns < 0);
        t->tv_nsec = ns >= 1000000000 ? ns - 1000000000 : ns < 0 ? ns + 1000000000 : ns;
    }
    return e;
}
"""


class Clock:
    """Lets the wall clock of a part jump, while its programs and its sandbox are the real ones: each part is started with
    a library before it that adds what a mapped file says."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="hf-clock-", dir="/tmp"))
        source, library = self.directory / "clock.c", self.directory / "clock.so"
        source.write_text(CLOCK_SOURCE)
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True,
                       timeout=30)
        for role in ROLES:
            self.shift(role, 0)
            program = self.directory / f"holdfast-{role}"
            program.write_text(f"#!/bin/sh\nexport LD_PRELOAD={library} CLOCK_SHIFT={self.directory}/{role}\n"
                               f"exec {BUILD}/src/{role}/holdfast-{role} \"$@\"\n")
            program.chmod(0o755)
        (self.directory / "holdfast-patterns").symlink_to(BUILD / "src" / "patterns" / "holdfast-patterns")

    def shift(self, role, ms):
        path = self.directory / role
        if not path.exists():
            path.write_bytes(bytes(8))
        with open(path, "r+b") as f:
            f.write(int(ms).to_bytes(8, "little", signed=True))

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


# --- the API


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem document, '' for a good answer."""
        if self.status < 400 or not self.body:
            return ""
        try:
            return self.json.get("type", "").removeprefix("/errors/")
        except ValueError:
            return "?"

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """One connection at a time; not for several threads at once."""

    def __init__(self, server, token=None, unix=False, timeout=20.0):
        self.server, self.token, self.unix, self.timeout = server, token, unix, timeout
        self.connection = None

    def _connect(self):
        if self.unix:
            return UnixConnection(self.server.unix_socket, self.timeout)
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=self.timeout,
                                           context=self.server.tls())

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def call(self, method, path, body=None, headers=None, raw=None):
        """raw: body bytes as they are. Raises OSError or HTTPException when the server goes away. A reason goes along,
        since secrets need one, unless X-Holdfast-Reason is given: None for none."""
        h = {"X-Holdfast-Reason": REASON, **(headers or {})}
        h = {k: v for k, v in h.items() if v is not None}
        if self.token and not any(k.lower() in ("authorization", "x-api-key") for k in h):
            h["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            raw = json.dumps(body, separators=(",", ":")).encode()
        if raw is not None:
            h.setdefault("Content-Type", "application/json")
        used = self.connection is not None
        if not used:
            self.connection = self._connect()
        try:
            self.connection.request(method, path, body=raw, headers=h)
            r = self.connection.getresponse()
            answer = Answer(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
        except (OSError, http.client.HTTPException):
            self.close()
            if used and method == "GET":  # a kept connection may have ended meanwhile
                return self.call(method, path, body, headers, raw)
            raise
        if r.will_close:
            self.close()
        return answer

    def ok(self, method, path, body=None, **more):
        a = self.call(method, path, body, **more)
        if a.status >= 400:
            raise Failed(f"{method} {path}: {a}")
        return a.json if a.body else None

    def refused(self, code, method, path, body=None, **more):
        a = self.call(method, path, body, **more)
        if a.code != code:
            raise Failed(f"{method} {path}: {a}, should be refused with {code}")
        assert a.headers["content-type"] == "application/problem+json", a.headers
        assert a.json["requestId"] == a.headers["x-request-id"], a
        return a


# --- the server


class Server:
    def __init__(self, config=None, directory=None, clock=None):
        self.clock = clock
        self.home = pathlib.Path(directory or tempfile.mkdtemp(prefix="hf-", dir="/tmp"))
        self.owned = directory is None
        self.data = self.home / "data"
        self.profile = self.home / "profile"
        self.profile.mkdir(exist_ok=True, mode=0o700)
        self.port = free_port()
        self.unix_socket = str(self.home / "api.sock")  # where other users of the host can reach it
        self.home.chmod(0o755)
        self.log_file = self.home / "log"
        self.config_file = self.home / "holdfast.yaml"
        self.config = {"data_dir": self.data, "listen": f"127.0.0.1:{self.port}", "unix_socket": self.unix_socket, "venues_dir": VENUES,
                       "log_level": "info", "argon2": {"passes": 1, "memory_kib": 8192},
                       "sessions": {"per_user": 100}, "http": {"connections": 4096, "connections_per_address": 4096}}
        for key, value in (config or {}).items():
            if isinstance(value, dict):
                self.config.setdefault(key, {}).update(value)
            else:
                self.config[key] = value
        self.write_config()
        self.file("passphrase", PASSPHRASE)
        self.file("key-passphrase", KEY_PASSPHRASE)
        self.file("password", PASSWORD)
        self.process = None
        self.ready_seconds = None
        self._tls = None
        self.passkeys = {}
        running.append(self)

    def write_config(self):
        self.config_file.write_text(yaml(self.config) + "\n")

    def file(self, name, text):
        path = self.home / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return str(path)

    # starting and ending

    def start(self, seconds=15.0, arguments=(), env=None, pass_fds=(), prefix=(), **more):
        """Starts it and waits until it says that it is ready."""
        out, into = os.pipe()
        began = time.monotonic()
        if self.clock:
            arguments = (*arguments, "--libexec-dir", self.clock.directory)
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, PROGRAM, "server", "--config", self.config_file, "--ready-fd", str(into), *arguments], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, pass_fds=(into, *pass_fds), env={**os.environ, **(env or {})},
                **more)
        os.close(into)
        try:
            self._wait_ready(out, began + seconds)
        finally:
            os.close(out)
        self.ready_seconds = time.monotonic() - began
        return self

    def begin(self, *start, **more):
        """Starts it as start() does, initialises it, and signs the administrator in: self.admin."""
        self.start(*start, **more)
        self.init()
        self.serving()
        self.enrol()
        self.token = self.login()
        self.admin = self.api(self.token)
        return self

    def _wait_ready(self, fd, end):
        import select
        while True:
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"not ready in time:\n{self.log()}")
            if select.select([fd], [], [], min(left, 0.2))[0]:
                if os.read(fd, 64) == b"ready\n":
                    return
                raise Failed(f"it did not start, exit code {self.process.wait(10)}:\n{self.log()}")

    @property
    def pid(self):
        return self.process.pid

    def child(self, role, seconds=10.0, other_than=None):
        """The process id of keeper, signer or front; waits for it."""
        def look():
            pid = children_of(self.pid).get(role)
            return pid if pid != other_than else None
        return until(f"a {role}", look, seconds)

    def kill(self, role):
        pid = self.child(role)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(f"{role} {pid} to be gone", lambda: not alive(pid))
        return pid

    def stop(self, seconds=20.0, how=signal.SIGTERM):
        if not self.process:
            return None
        children = list(children_of(self.pid).values()) if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise Failed(f"it did not stop within {seconds} s:\n{self.log()}") from None
        self.process = None
        for pid in children:
            until(f"child {pid} to be gone", lambda pid=pid: not alive(pid))
        return code

    def crash(self):
        """Everything dies at once, as far as signals can do that."""
        pids = [self.pid, *children_of(self.pid).values()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(10)
        self.process = None
        for pid in pids[1:]:
            until(f"child {pid} to be gone", lambda pid=pid: not alive(pid))

    def remove(self):
        with contextlib.suppress(Failed):
            self.stop()
        if self in running:
            running.remove(self)
        if self.clock:
            self.clock.remove()
        if self.owned:
            shutil.rmtree(self.home, ignore_errors=True)

    def log(self, lines=25):
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-lines:])

    # the command line

    def cli(self, *arguments, stdin=None, code=0, env=None, seconds=30.0, profile=None, text=True):
        """Runs the command; code: what it must exit with, None for anything. Returns what it printed."""
        e = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
        e.update({"HOLDFAST_HOME": str(profile or self.profile), "HOLDFAST_DATA_DIR": str(self.data), "HOLDFAST_REASON": REASON},
                 **(env or {}))
        r = subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, text=text,
                           timeout=seconds, env=e, stdin=None if stdin is not None else subprocess.DEVNULL,
                           start_new_session=True, check=False)
        if code is not None and r.returncode != code:
            raise Failed(f"holdfast {' '.join(map(str, arguments))}: exit {r.returncode}, should be {code}\n"
                         f"{r.stdout}{r.stderr}")
        return r

    def cli_json(self, *arguments, **more):
        return json.loads(self.cli(*arguments, "-o", "json", **more).stdout)

    def init(self, shares=None, threshold=None):
        how = ("--passphrase-file", self.home / "passphrase")
        if shares:
            how = ("--shares", shares, "--threshold", threshold)
        self.made = self.cli_json("operator", "init", "--config", self.config_file, "--key-passphrase-file",
                                  self.home / "key-passphrase", *how)
        return self.made

    def unseal(self):
        return self.cli("operator", "unseal", "--passphrase-file", self.home / "passphrase")

    def serving(self, seconds=15.0):
        api = self.api(timeout=5.0)
        def look():
            try:
                a = api.call("GET", "/api/v1/health")
            except (OSError, http.client.HTTPException):
                return None
            return a.json if a.status == 200 else None
        try:
            return until("it to serve", look, seconds, 0.02)
        finally:
            api.close()

    def enrol(self, name="admin"):
        """The administrator's first session; the command line of self.profile has it as well."""
        token = self.file("enrolment-token", self.made["enrolment_token"])
        self.cli("enrol", name, "--enrolment-file", token, "--password-file", self.home / "password", "--yes")
        self.equip(name, (self.profile / "session").read_text().strip())

    def login(self, name="admin", password=PASSWORD):
        """A session; whose roles ask for a second factor gets a passkey the first time, and signs in with it from then on."""
        key = self.passkeys.get(name)
        if key:
            a = key.login(self.api())
            if a.status == 200:
                return a.json["token"]
        token = self.api().ok("POST", "/api/v1/login", {"name": name, "password": password})["token"]
        self.equip(name, token, password)
        return token

    def equip(self, name, token, password=PASSWORD):
        """The second factor that this session is told to set up: one that works as often as a test wants."""
        api = self.api(token)
        if api.ok("GET", "/api/v1/session").get("second_factor_missing"):
            key = passkey.Passkey(self.port)
            key.codes = key.register(api, password)["recovery_codes"]
            self.passkeys[name] = key
        api.close()

    def cli_login(self, name="admin", *more, **how):
        """The command line's own session, with a code where it is asked for one."""
        code = ("--code", self.code(name)) if name in self.passkeys else ()
        return self.cli("login", name, "--password-file", self.home / "password", "--yes", *code, *more, **how)

    def code(self, name="admin"):
        """A code of his for the command line, each good once."""
        key = self.passkeys[name]
        if not key.codes:
            key.codes = self.api(self.login(name)).ok("POST", "/api/v1/me/mfa/recovery")["recovery_codes"]
        return key.codes.pop()

    # the API

    def tls(self):
        if self._tls is None:
            c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            c.minimum_version = ssl.TLSVersion.TLSv1_3
            c.load_verify_locations(self.data / "tls" / "server.crt")
            self._tls = c
        return self._tls

    def api(self, token=None, unix=False, timeout=20.0):
        return Api(self, token, unix, timeout)

    def health(self):
        api = self.api(timeout=5.0)
        try:
            return api.call("GET", "/api/v1/health").json
        finally:
            api.close()

    # the files

    @property
    def database(self):
        return self.data / "holdfast.db"

    def sql(self):
        """The store of a stopped server, by another program."""
        assert self.process is None, "stop it first"
        return sqlite3.connect(self.database)


def b64(data):
    return base64.b64encode(data).decode()


def as_user(uid, path, body):
    """What a program of this Unix user is answered over the local socket: (status, document)."""
    code = """
import http.client, json, os, socket, sys
uid, path, target, body = int(sys.argv[1]), *sys.argv[2:]
if os.getuid() != uid:
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
c = http.client.HTTPConnection("localhost")
c.sock = socket.socket(socket.AF_UNIX)
c.sock.connect(path)
c.request("POST", target, body, {"Content-Type": "application/json"})
r = c.getresponse()
print(json.dumps([r.status, json.loads(r.read())]))
"""
    r = subprocess.run([sys.executable, "-c", code, str(uid), *path, json.dumps(body)], capture_output=True, text=True,
                       timeout=15, check=False)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)
