"""Start, stop, restart, reload, upgrade: what the supervisor and the sandboxes promise, seen from outside."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import server as holdfast
from server import PROGRAM, ROLES, alive, children_of, stat_of, until


def started_at(pid):
    """Order of starts: clock ticks since boot, then the number."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]), pid


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}


def put_secret(api, path, value):
    return api.ok("POST", "/api/v1/secrets", {"path": path, "kind": "password", "environment": "development",
                                               "value": value})


def read_secret(api, path):
    return api.ok("GET", f"/api/v1/secrets/data/{path}")["value"]


# --- start


def test_the_parts_start_in_order_and_ready_means_that_all_serve(new_server):
    s = new_server().start(seconds=5)
    assert s.ready_seconds < 5
    children = children_of(s.pid)
    assert sorted(children) == sorted(ROLES)
    assert started_at(children["keeper"]) <= started_at(children["signer"]) <= started_at(children["front"])
    h = s.health()  # no waiting: ready was said
    assert (h["state"], h["keeper"]) == ("sealed", "not-initialised")
    assert "operator init" in h["sentence"]
    assert s.stop() == 0


def connected(s, count):
    """How many of so many connections at the same time are answered."""
    sockets, answered = [], 0
    try:
        for _ in range(count):
            sockets.append(socket.socket(socket.AF_UNIX))
            sockets[-1].settimeout(5)
            sockets[-1].connect(s.unix_socket)
        for c in sockets:
            c.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for c in sockets:
            try:
                answered += c.recv(65536).startswith(b"HTTP/1.1 ")
            except ConnectionError:
                pass
    finally:
        for c in sockets:
            c.close()
    return answered


def test_as_many_connections_as_configured_are_taken_where_the_soft_limit_of_files_is_lower(new_server):
    s = new_server(config={"http": {"connections": 600, "connections_per_address": 600}})
    s.start(prefix=("prlimit", "--nofile=100:4000"))
    assert connected(s, 400) == 400
    assert "RLIMIT_NOFILE" not in s.log()


def test_fewer_files_than_connections_are_warned_of(new_server):
    s = new_server(config={"http": {"connections": 600, "connections_per_address": 600}})
    s.start(prefix=("prlimit", "--nofile=100:700", "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"))
    assert "http.connections is 600, but 700 open files are allowed" in s.log()
    assert connected(s, 400) == 400  # as far as the hard limit goes


def test_a_head_is_waited_for_as_long_as_configured(new_server):
    s = new_server(config={"http": {"head_seconds": 2}}).start()
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(8)
        c.connect(s.unix_socket)
        c.sendall(b"GET /api/v1/health HTTP/1.1\r\n")
        began = time.monotonic()
        while c.recv(4096):
            pass
        assert 1.5 < time.monotonic() - began < 7


def test_readiness_is_told_to_the_service_manager(new_server, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as n:
        n.bind(path)
        n.settimeout(5)
        s = new_server().start(env={"NOTIFY_SOCKET": path})
        told = n.recv(4096)
        while b"READY=1" not in told:
            told = n.recv(4096)
        s.stop()
        while b"STOPPING=1" not in told:
            told = n.recv(4096)


ACTIVATE = """
import os, sys
fds = [int(x) for x in sys.argv[1].split(",")]
moved = [os.dup2(os.dup(fd), 40 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(moved):
    os.dup2(fd, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(fds)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_sockets_may_come_from_the_service_manager(new_server):
    s = new_server()
    s.data.mkdir(mode=0o700)
    https = socket.create_server(("127.0.0.1", s.port))
    api = socket.socket(socket.AF_UNIX)
    api.bind(str(s.home / "api"))
    operator = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    operator.bind(str(s.home / "operator"))
    for x in (api, operator):
        x.listen()
    fds = [x.fileno() for x in (https, api, operator)]
    with open(s.log_file, "ab") as log:
        s.process = subprocess.Popen(
            [sys.executable, "-c", ACTIVATE, ",".join(map(str, fds)), "https:api:operator", PROGRAM, "server", "--config",
             s.config_file], pass_fds=fds, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    held = https.dup()
    for x in (https, api, operator):
        x.close()
    # No readiness is needed: who connects waits in the queue.
    until("the certificate", lambda: (s.data / "tls" / "server.crt").exists())
    until("an answer", lambda: s.health()["state"] == "sealed")
    # The front can't set this, and without it a body waits for the client to acknowledge the head.
    assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    held.close()
    s.unix_socket = str(s.home / "api")
    assert s.api(unix=True).call("GET", "/api/v1/health").status == 503
    r = s.cli("operator", "status", "--socket", s.home / "operator", code=7)
    assert "not initialised" in r.stdout


def test_a_second_start_keeps_what_there_was(new_server):
    s = new_server().start()
    s.init()
    s.serving()
    s.enrol()
    put_secret(s.api(s.login()), "desk/first", "kept")
    s.stop()
    s.start(seconds=5)
    assert s.ready_seconds < 5
    assert s.health()["keeper"] == "sealed"
    s.cli("operator", "init", "--passphrase-file", s.home / "passphrase", "--key-passphrase-file",
          s.home / "key-passphrase", code=6)
    s.unseal()
    s.serving(5)
    assert read_secret(s.api(s.login()), "desk/first") == "kept"
    # Two never work in one directory.
    r = s.cli("server", "--config", s.config_file, code=6)
    assert str(s.pid) in r.stderr
    # The address is free at once after an end, and no process stays.
    s.stop()
    s.start(seconds=5)


@pytest.mark.parametrize("text, line, says", [
    ("data_dir: /tmp/x\nlisten: 127.0.0.1:0\nfront_thread: 2\n", 3, "front_thread"),
    ("front_threads: many\n", 1, "front_threads"),
    ("http:\n  body_bytes: 12\n", 2, "body_bytes"),
    ("listen: [1, 2\n", 2, ""),
    ("listen: nowhere\n", 1, "listen"),
])
def test_a_wrong_configuration_stops_the_start_and_says_where(new_server, text, line, says):
    s = new_server()
    s.config_file.write_text(text)
    r = s.cli("server", "--config", s.config_file, code=2, seconds=5)
    assert re.search(re.escape(str(s.config_file)) + rf":{line}:\d+", r.stderr), r.stderr
    assert says in r.stderr
    assert not s.data.exists()


def test_a_wrong_venue_file_stops_the_start_and_says_where(new_server):
    s = new_server()
    venues = s.home / "venues"
    venues.mkdir()
    (venues / "example.yaml").write_text("name: example\nhostss: []\n")
    s.config["venues_dir"] = venues
    s.write_config()
    with pytest.raises(holdfast.Failed, match="did not start"):
        s.start()
    assert re.search(r"example\.yaml:2:", s.log()), s.log()


# --- sandboxes


def test_every_process_is_in_its_sandbox(new_server):
    s = new_server().start()
    s.init()
    s.serving()
    for role in ROLES:
        pid = s.child(role)
        st = status_of(pid)
        assert st["Seccomp"] == "2", role
        assert st["NoNewPrivs"] == "1", role
        for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
            assert int(st[kind], 16) == 0, (role, kind)
        for task in os.listdir(f"/proc/{pid}/task"):
            assert status_of(f"{pid}/task/{task}")["Seccomp"] == "2", (role, task)
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), role
        assert not dumpable(pid), role
        files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        opened = [f for f in files if f.startswith("/") and not f.startswith("/dev/null")]
        allowed = {"keeper": {"anchor"}, "signer": set(), "front": {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm"}}
        assert {pathlib.Path(f).name for f in opened} - {"log"} <= allowed[role], (role, opened)
        assert sockets_of(pid) == {"keeper": {"operator.sock"}, "signer": set(), "front": {"api.sock", "tcp"}}[role]


WITHOUT_RIGHTS = """
import ctypes, os, sys, time
class Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
assert ctypes.CDLL(None).capset(ctypes.byref(Header(0x20080522, 0)), (ctypes.c_uint32 * 6)()) == 0
print("without", flush=True)
if len(sys.argv) == 1:
    time.sleep(30)
try:
    os.readlink(f"/proc/{sys.argv[1]}/exe")
    print("yes")
except PermissionError:
    print("no")
"""


def dumpable(pid):
    """May another process of the same user, without capabilities, look into it?"""
    def ask(target):
        r = subprocess.run([sys.executable, "-c", WITHOUT_RIGHTS, str(target)], capture_output=True, text=True,
                           check=True, timeout=10)
        return r.stdout.split()[-1] == "yes"
    with subprocess.Popen([sys.executable, "-c", WITHOUT_RIGHTS], stdout=subprocess.PIPE) as plain:
        plain.stdout.readline()
        asked = ask(plain.pid)
        plain.kill()
    assert asked, "the question itself is wrong"
    return ask(pid)


def sockets_of(pid):
    """Names of its sockets that have an address: the last part of a path, or tcp."""
    inodes = {m[1] for fd in os.listdir(f"/proc/{pid}/fd")
              if (m := re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{pid}/fd/{fd}")))}
    found = set()
    for line in pathlib.Path("/proc/net/unix").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[6] in inodes and len(fields) > 7:
            found.add(pathlib.Path(fields[7]).name)
    for name in ("tcp", "tcp6", "udp", "udp6", "raw"):
        for line in pathlib.Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            if line.split()[9] in inodes:
                found.add(name)
    return found


def test_a_stopped_and_continued_process_goes_on(new_server):
    """A freezer or a debugger interrupts system calls in ways that a filter must know."""
    s = new_server().start()
    s.init()
    s.serving()
    s.enrol()
    pids = [s.child(role) for role in ROLES]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    put_secret(s.api(s.login()), "desk/after", "the stop")
    assert [s.child(role) for role in ROLES] == pids


# --- what dies comes back


def test_a_dead_front_comes_back_unsealed(desk):
    put_secret(desk.admin, "desk/front", "still here")
    keeper = desk.child("keeper")
    dead = desk.kill("front")
    assert desk.child("front", other_than=dead)
    desk.serving(5)
    assert desk.child("keeper") == keeper
    assert read_secret(desk.api(desk.admin.token), "desk/front") == "still here"  # the session lives on as well


def test_a_dead_signer_comes_back(desk):
    others = [desk.child("keeper"), desk.child("front")]
    dead = desk.kill("signer")
    desk.child("signer", other_than=dead)
    until("a live signer in health", lambda: desk.health()["signer"] == "alive")
    assert [desk.child("keeper"), desk.child("front")] == others
    put_secret(desk.api(desk.admin.token), "desk/signer", "x")


def test_a_dead_keeper_means_sealed_and_everybody_says_so(desk):
    put_secret(desk.api(desk.admin.token), "desk/keeper", "sealed in between")
    dead = desk.kill("keeper")
    desk.child("keeper", other_than=dead)

    def sealed():
        try:
            return desk.health()
        except OSError:
            return None
    h = until("a sealed front", lambda: (sealed() or {}).get("state") == "sealed" and sealed())
    assert h["keeper"] in ("dead", "sealed")
    assert "operator unseal" in h["sentence"] and "ealed" in h["sentence"]
    until("a sealed keeper", lambda: (sealed() or {}).get("keeper") == "sealed")
    assert desk.api().call("GET", "/api/v1/health").status == 503
    r = desk.cli("status", code=7)
    assert "sealed" in (r.stdout + r.stderr).lower() and "operator unseal" in r.stdout + r.stderr
    r = desk.cli("operator", "status", code=7)
    assert "sealed" in r.stdout
    for path in ("/api/v1/secrets/data/desk/keeper", "/api/v1/session", "/api/v1/audit/records"):
        desk.api(desk.admin.token).refused("sealed", "GET", path)
    desk.api().refused("sealed", "POST", "/api/v1/login", {"name": "admin", "password": holdfast.PASSWORD})
    r = desk.cli("secret", "get", "desk/keeper", code=7)
    assert "operator unseal" in r.stderr
    desk.unseal()
    desk.serving()
    assert read_secret(desk.api(desk.admin.token), "desk/keeper") == "sealed in between"


def test_seal_forgets_the_keys_in_every_process(desk):
    front, signer = desk.child("front"), desk.child("signer")
    desk.cli("operator", "seal", "--yes")
    until("the front to say so", lambda: not alive(front))
    until("a sealed front", lambda: _sealed(desk))
    desk.api(desk.admin.token).refused("sealed", "GET", "/api/v1/session")
    desk.unseal()
    desk.serving()
    assert desk.child("signer") == signer or alive(desk.child("signer"))


def _sealed(server):
    try:
        return server.health()["keeper"] == "sealed"
    except OSError:
        return False


# --- reload, upgrade


def test_reload_starts_front_and_signer_anew_and_a_wrong_file_changes_nothing(desk):
    before = {role: desk.child(role) for role in ROLES}
    text = desk.config_file.read_text()
    desk.config_file.write_text(text + "nonsense: 1\n")
    lines = len(text.splitlines())
    desk.process.send_signal(signal.SIGHUP)
    until("a complaint", lambda: f"{desk.config_file}:{lines + 1}:" in desk.log())
    assert {role: desk.child(role) for role in ROLES} == before
    desk.config_file.write_text(text.replace("log_level: info", "log_level: debug"))
    desk.process.send_signal(signal.SIGHUP)
    for role in ("front", "signer"):
        desk.child(role, other_than=before[role])
    desk.serving()
    assert desk.child("keeper") == before["keeper"]
    desk.config_file.write_text(text)


def test_an_upgrade_keeps_the_process_the_sockets_and_the_unsealed_state(desk):
    put_secret(desk.api(desk.admin.token), "desk/upgrade", "carried over")
    before = {role: desk.child(role) for role in ROLES}
    desk.process.send_signal(signal.SIGUSR2)
    for role in ROLES:
        desk.child(role, seconds=20, other_than=before[role])
    # Nobody is turned away meanwhile: who connects waits.
    assert desk.api(desk.admin.token, timeout=20).call("GET", "/api/v1/health").status in (200, 503)
    desk.serving()
    until("the old keeper to end", lambda: not alive(before["keeper"]))
    assert desk.process.poll() is None
    assert "unsealed" in desk.cli("operator", "status").stdout
    assert read_secret(desk.api(desk.admin.token), "desk/upgrade") == "carried over"


def test_a_sealed_server_says_why_it_is_sealed(new_server):
    s = new_server().start()
    s.init()
    s.stop()
    s.start()
    first = s.cli_json("operator", "status", code=7)
    assert first["sealed_cause"] == "start" and "Holdfast was started" in first["sentence"], first
    keeper = s.child("keeper")
    s.process.send_signal(signal.SIGUSR2)
    s.child("keeper", seconds=20, other_than=keeper)
    until("the old keeper to end", lambda: not alive(keeper), 20)
    said = s.cli_json("operator", "status", code=7)
    assert said["sealed_cause"] == "upgrade-failed" and said["sealed_since"] > first["sealed_since"], said
    s.unseal()
    assert "sealed_cause" not in s.cli_json("operator", "status")


# --- the development server


def test_dev_prints_a_login_that_works_and_leaves_nothing_behind(new_server):
    s = new_server()
    env = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    env.update(HOLDFAST_HOME=str(s.profile), HOLDFAST_VENUES_DIR=str(holdfast.VENUES))
    out = open(s.home / "out", "w+", encoding="utf-8")
    with open(s.log_file, "ab") as log:
        s.process = subprocess.Popen([PROGRAM, "server", "--dev", "--config", s.file("dev.yaml", f"venues_dir: {holdfast.VENUES}\n")],
                                     stdout=out, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd="/")

    def printed():
        assert s.process.poll() is None, s.log()
        text = (s.home / "out").read_text()
        return text if re.search(r"https://127\.0\.0\.1:\d+", text) and "assword" in text else None
    text = until("the log-in", printed, 20)
    time.sleep(0.2)
    text = (s.home / "out").read_text()
    port = int(re.search(r"https://127\.0\.0\.1:(\d+)", text)[1])
    directory = pathlib.Path(re.search(r"(/tmp/holdfast-dev-\w+)", text)[1])
    password = re.search(r"[Pp]assword:? +(\S+)", text)[1]
    s.port, s.data = port, directory
    assert s.api().call("GET", "/api/v1/health").status == 200
    assert s.api(s.login("admin", password)).ok("GET", "/api/v1/session")["name"] == "admin"
    children = list(children_of(s.pid).values())
    assert s.stop() == 0
    out.close()
    assert not directory.exists()
    assert not any(alive(pid) for pid in children)


def test_children_do_not_outlive_a_killed_supervisor(new_server):
    s = new_server().start()
    s.init()
    s.serving()
    children = [s.child(role) for role in ROLES]
    os.kill(s.pid, signal.SIGKILL)
    s.process.wait(5)
    s.process = None
    for pid in children:
        until(f"{stat_of(pid)} to end", lambda pid=pid: not alive(pid))
    s.start(seconds=5)
    s.unseal()
    s.serving()
