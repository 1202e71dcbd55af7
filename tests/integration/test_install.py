"""What `meson install` puts down runs from wherever it lies, without being told where its parts are."""
import os
import pathlib
import resource
import subprocess

import pytest

import desk as job
import server as holdfast
from server import as_user


def install(below):
    subprocess.run(["meson", "install", "-C", holdfast.BUILD, "--no-rebuild", "--quiet", "--destdir", below], check=True)
    found = list(below.glob("**/bin/holdfast"))
    assert len(found) == 1, f"holdfast was not installed below {below}"
    return found[0].parents[1]


@pytest.fixture
def installed(tmp_path):
    return install(tmp_path)


def test_installed_tree_serves_and_knows_its_venues(installed, new_server, monkeypatch):
    assert not os.path.exists("/usr/share/holdfast"), "this host has Holdfast installed, whose venues would be found"
    monkeypatch.setattr(holdfast, "PROGRAM", installed / "bin" / "holdfast")
    s = new_server()
    del s.config["venues_dir"]
    s.write_config()
    s.start()
    s.init()
    s.serving()
    s.enrol()
    s.login()
    shown = s.cli("credential", "venues").stdout
    assert all(name in shown for name in ("binance", "phemex", "hyperliquid")), shown
    for role in holdfast.ROLES:
        program = os.readlink(f"/proc/{s.child(role)}/exe")
        assert program == str(installed / "libexec" / "holdfast" / f"holdfast-{role}")


def test_installed_files(installed):
    share = installed / "share"
    for kind, ending in (("venues", "yaml"), ("policies", "json"), ("patterns", "yaml")):
        there = {p.name: p.read_bytes() for p in (share / "holdfast" / kind).glob(f"*.{ending}")}
        assert there == {p.name: p.read_bytes() for p in (holdfast.SOURCE / "spec" / kind).glob(f"*.{ending}")} != {}
    assert list((share / "man").glob("man1/holdfast.1*"))


# --- the unit for systemd

UNIT = "lib/systemd/system/holdfast.service"


def settings_of(text):
    """{"NoNewPrivileges": "yes", …} of its [Service] section."""
    lines = text.partition("[Service]")[2].partition("[Install]")[0].splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def test_the_unit_is_sound(installed, tmp_path):
    text = (installed / UNIT).read_text()
    start = settings_of(text)["ExecStart"]
    assert start.endswith("/bin/holdfast server") and start.startswith("/"), start
    unit = tmp_path / "holdfast.service"
    unit.write_text(text.replace(start.split()[0], str(installed / "bin" / "holdfast")))
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit], capture_output=True, text=True,
                       check=False)
    assert r.returncode == 0 and "holdfast.service" not in r.stderr, r.stderr
    # From 0 (held tight) to 10 (free); what a service without any of this gets is 9.6.
    r = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25", unit], capture_output=True, text=True,
                       check=False)
    assert r.returncode == 0, r.stdout


SERVER_UID, BOT_UID = 64101, 64102


def as_the_unit(settings):
    """The same limits and privileges, by hand."""
    prefix = ["prlimit"]
    for name in ("MEMLOCK", "CORE", "NOFILE"):
        wanted, most = int(settings[f"Limit{name}"].replace("64M", str(64 << 20))), resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1]
        limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)  # in a container root may not raise them
        prefix.append(f"--{name.lower()}={limit}")
    prefix += ["setpriv", f"--reuid={SERVER_UID}", f"--regid={SERVER_UID}", "--clear-groups"]
    assert settings["NoNewPrivileges"] == "yes" and settings["CapabilityBoundingSet"] == ""
    prefix += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    return [*prefix, "sh", "-c", f"umask {settings['UMask']} && exec \"$@\"", "sh"]


@pytest.fixture
def service(installed, new_server, monkeypatch):
    """A server with directories, limits and privileges of the unit, and its user."""
    assert os.getuid() == 0, "only root can become the service's user and the bots'"
    settings = settings_of((installed / UNIT).read_text())
    s = new_server()
    s.data, run = s.home / "var-lib-holdfast", s.home / "run-holdfast"
    for path, mode in ((s.data, settings["StateDirectoryMode"]), (run, settings["RuntimeDirectoryMode"])):
        path.mkdir()
        path.chmod(int(mode, 8))
        os.chown(path, SERVER_UID, SERVER_UID)
    s.unix_socket = str(run / "api.sock")
    s.config.update({"data_dir": s.data, "unix_socket": s.unix_socket})
    # Where the service's user can go: a checkout may lie in somebody's home.
    monkeypatch.setattr(holdfast, "PROGRAM", install(s.home / "installed") / "bin" / "holdfast")
    del s.config["venues_dir"]
    s.write_config()
    s.start(prefix=as_the_unit(settings))
    return s


def test_bots_of_other_users_reach_the_service_and_nothing_else_of_it(service):
    s = service
    s.init()
    s.serving()
    s.enrol()
    s.admin = s.api(s.login())
    job.store(s, "binance")
    for pid in (s.pid, *(s.child(role) for role in holdfast.ROLES)):
        status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
        assert set(status["Uid"].split()) == {str(SERVER_UID)} and status["NoNewPrivs"].strip() == "1"
        assert int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0
    sign = (s.unix_socket, "/api/v1/sign")
    assert as_user(BOT_UID, sign, job.order("binance"))[0] == 401
    job.make_key(s, "bot", "--unix-user", str(BOT_UID))
    status, signed = as_user(BOT_UID, sign, job.order("binance"))
    assert status == 200 and job.accepted("binance", signed)
    record = s.admin.ok("GET", f"/api/v1/audit/records?actor=unix:{BOT_UID}&type=REQUEST_SIGNED&limit=1")["records"][0]
    assert record["who"]["source"] == f"unix:{BOT_UID}"
    # He can neither look into what is kept, nor reach the operator socket, nor put a socket of his own in that place.
    tries = {"look": f"ls {s.data}", "operate": f"{holdfast.PROGRAM} operator status --socket {s.data}/run/operator.sock",
             "remove": f"rm -f {s.unix_socket} && ! test -e {s.unix_socket}", "add": f"touch {s.unix_socket}2"}
    for what, command in tries.items():
        r = subprocess.run(["sh", "-c", command], user=BOT_UID, group=BOT_UID, extra_groups=[], capture_output=True, check=False,
                           env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
        assert r.returncode != 0, what
    assert as_user(BOT_UID, sign, job.order("binance"))[0] == 200


def test_a_socket_where_others_could_put_theirs_is_refused(new_server):
    s = new_server()
    open_to_all = s.home / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o1777)
    for key in ("unix_socket", "operator_socket"):
        kept = dict(s.config)
        s.config[key] = open_to_all / "x.sock"
        s.write_config()
        r = s.cli("server", "--config", s.config_file, code=None)
        assert r.returncode != 0 and key in r.stderr and "in the place of the server's" in r.stderr, r.stderr
        s.config = kept
    # A directory that is not there is made so that everybody can reach the socket and nobody can change it.
    s.unix_socket = s.config["unix_socket"] = str(s.home / "made" / "api.sock")
    s.write_config()
    s.start(prefix=("sh", "-c", "umask 077 && exec \"$@\"", "sh"))
    assert (s.home / "made").stat().st_mode & 0o777 == 0o755
    assert s.api(unix=True).call("GET", "/api/v1/health").status == 503
