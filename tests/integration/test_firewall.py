"""What the guard blocks stops in the kernel: the real server in a network namespace of its own, and packets from another one."""
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import server as holdfast
from server import Failed, children_of, until

OPEN, CLOSED = 8090, 8091  # of the desk: one that the firewall closes to who is blocked, and one that it leaves alone
STRANGER = """
table inet filter {
  set friends {
    type ipv4_addr
    flags timeout
    elements = { 198.51.100.99 }
  }
  chain input {
    type filter hook input priority 0; policy accept;
    tcp dport 9 drop
    ip saddr @friends accept
  }
}
table ip holdfast_not {
  chain c {
  }
}
"""
ADDRESSES = ["203.0.113.10", "203.0.113.11", "198.51.100.10", "2001:db8:1::10", "2001:db8:1::11", "2001:db8:2::10"]
DESK4, DESK6 = "192.0.2.1", "2001:db8:ff::1"
NET_ADMIN = 1 << 12
libc = ctypes.CDLL(None, use_errno=True)


def run(*words, text=None, check=True):
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=20, check=check).stdout


def enter(namespace):
    """This thread, and what it starts, is in that network from now on."""
    with open(namespace, "rb") as f:
        if libc.setns(f.fileno(), 0x40000000) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Net:
    """Two namespaces and a cable: the desk's host, where the test itself goes, and the world's."""

    def __init__(self):
        self.name = f"hf{os.getpid()}"
        self.before = pathlib.Path(f"/proc/self/task/{threading.get_native_id()}/ns/net")
        self.home = open(self.before, "rb")
        for side in ("d", "w"):
            run("ip", "netns", "add", self.name + side)
        run("ip", "link", "add", "cable", "netns", self.name + "d", "type", "veth", "peer", "name", "cable", "netns", self.name + "w")
        for side in ("d", "w"):
            for device in ("lo", "cable"):
                run("ip", "-n", self.name + side, "link", "set", device, "up")
        for address in (DESK4 + "/32", DESK6 + "/128"):
            run("ip", "-n", self.name + "d", "address", "add", address, "dev", "cable", *self.nodad(address))
        for address in ADDRESSES:
            run("ip", "-n", self.name + "w", "address", "add", address, "dev", "cable", *self.nodad(address))
        for version, target in (("-4", "default"), ("-6", "default")):
            run("ip", version, "-n", self.name + "d", "route", "add", target, "dev", "cable")
            run("ip", version, "-n", self.name + "w", "route", "add", target, "dev", "cable")
        enter("/run/netns/" + self.name + "d")

    @staticmethod
    def nodad(address):
        return ("nodad",) if ":" in address else ()

    def reaches(self, source, port=OPEN, seconds=0.6):
        """Does a connection from this address of the world come about?"""
        code = ("import socket, sys\n"
                "six = ':' in sys.argv[1]\n"
                "s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)\n"
                "s.settimeout(float(sys.argv[4]))\n"
                "s.bind((sys.argv[1], 0))\n"
                "sys.exit(0 if s.connect_ex((sys.argv[2], int(sys.argv[3]))) == 0 else 1)\n")
        desk = DESK6 if ":" in source else DESK4
        r = subprocess.run(["ip", "netns", "exec", self.name + "w", sys.executable, "-c", code, source, desk, str(port), str(seconds)],
                           capture_output=True, text=True, timeout=20, check=False)
        assert r.returncode in (0, 1) and not r.stderr, r.stderr
        return r.returncode == 0

    def rules(self):
        return run("nft", "list", "ruleset")

    def strangers(self):
        return [run("nft", "--handle", "list", "table", *t.split()) for t in ("inet filter", "ip holdfast_not")]

    def table(self, name="holdfast"):
        """The sets of the table with their elements, None if there is no such table."""
        r = subprocess.run(["nft", "-j", "list", "table", "inet", name], capture_output=True, text=True, timeout=20, check=False)
        if r.returncode != 0:
            return None
        return {o["set"]["name"]: [self.text(e) for e in o["set"].get("elem", [])] for o in json.loads(r.stdout)["nftables"] if "set" in o}

    @staticmethod
    def text(element):
        v = element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element
        return f"{v['prefix']['addr']}/{v['prefix']['len']}" if isinstance(v, dict) else v

    def elements(self):
        t = self.table()
        return sorted(e for s in t.values() for e in s) if t is not None else None

    def remove(self):
        libc.setns(self.home.fileno(), 0x40000000)
        self.home.close()
        for side in ("d", "w"):
            subprocess.run(["ip", "netns", "delete", self.name + side], check=False, timeout=20)


@pytest.fixture(scope="module")
def net():
    n = Net()
    listeners = []
    try:
        for port in (OPEN, CLOSED):
            for family, host in ((socket.AF_INET, DESK4), (socket.AF_INET6, DESK6)):
                listeners.append(socket.create_server((host, port), family=family, backlog=64))
        run("nft", "-f", "-", text=STRANGER)
        yield n
    finally:
        for x in listeners:
            x.close()
        n.remove()


def settings(**more):
    return {"guard": {"proxies": "[unix, 198.51.100.0/29]",
                      "networks": {"allow": "[127.0.0.0/8, 10.0.0.0/8]", "others": "allow"},
                      "firewall": {"ports": f"[{OPEN}]", **more}}}


def begin(s):
    s.begin()
    works(s)
    return s


@pytest.fixture
def desk(net, new_server):
    before = net.strangers()
    s = begin(new_server(config=settings()))
    s.net = net
    yield s
    s.stop()
    assert net.strangers() == before, "somebody else's table was touched"


def works(s, seconds=10.0):
    until("the firewall to work", lambda: s.health().get("firewall") == "working", seconds)


def block(s, network, minutes=60):
    s.admin.ok("PUT", "/api/v1/guard/networks", {"network": network, "action": "block", "minutes": minutes})


def unblock(s, network):
    s.admin.ok("DELETE", "/api/v1/guard/networks?network=" + network.replace("/", "%2F").replace(":", "%3A"))


def let_in(s, network):
    s.admin.ok("PUT", "/api/v1/guard/networks", {"network": network, "action": "allow"})


def comes_to(net, elements, seconds=5.0):
    last = []

    def look():
        last[:] = [net.elements()]
        return last[0] == sorted(elements)
    try:
        until("the sets", look, seconds)
    except Failed:
        raise Failed(f"the sets are {last[0]}, should be {sorted(elements)}") from None


def events(s, name):
    return s.admin.ok("GET", f"/api/v1/audit/records?type={name}")["records"]


# --- packets


@pytest.mark.parametrize("who, other, network", [
    ("203.0.113.10", "203.0.113.11", "203.0.113.10"),
    ("2001:db8:1::10", "2001:db8:1::11", "2001:db8:1::10"),
    ("203.0.113.11", "198.51.100.10", "203.0.113.0/24"),
    ("2001:db8:1::11", "2001:db8:2::10", "2001:db8:1::/64"),
    ("2001:db8:1::11", "2001:db8:2::10", "2001:db8:1::/48"),
])
def test_packets_of_who_is_blocked_stop_and_come_back(desk, who, other, network):
    net = desk.net
    assert net.reaches(who) and net.reaches(other)
    block(desk, network)
    until("it to be shut out", lambda: not net.reaches(who))
    assert net.reaches(other), "somebody else is shut out"
    assert net.reaches(who, CLOSED), "another port is closed as well"
    unblock(desk, network)
    until("it to be back", lambda: net.reaches(who))
    assert net.elements() == []


def test_time_that_is_over_ends_a_block_in_the_kernel(net, new_server):
    clock = holdfast.Clock()
    (clock.directory / "holdfast-warden").symlink_to(holdfast.BUILD / "src" / "warden" / "holdfast-warden")
    s = begin(new_server(config=settings(), clock=clock))
    block(s, "203.0.113.10", minutes=1)
    comes_to(net, ["203.0.113.10"])
    assert not net.reaches("203.0.113.10")
    clock.shift("front", 56000)
    pid = s.kill("warden")  # the next one is told what is left of the time
    s.child("warden", other_than=pid)
    until("it to be back", lambda: net.reaches("203.0.113.10"), 10)
    assert net.elements() == []
    assert children_of(s.pid).get("warden"), "nobody was told: the kernel did it by itself"


def test_before_routing_and_with_all_ports_nothing_of_him_gets_through(net, new_server):
    s = begin(new_server(config=settings(hook="prerouting", ports="[all]")))
    for who, other in (("203.0.113.10", "203.0.113.11"), ("2001:db8:1::10", "2001:db8:1::11")):
        block(s, who)
        until("it to be shut out", lambda who=who: not net.reaches(who))
        assert not net.reaches(who, CLOSED)
        assert net.reaches(other) and net.reaches(other, CLOSED)


def test_who_is_refused_again_and_again_is_dropped_for_a_while(net, new_server):
    config = settings()
    config["guard"] |= {"endpoints": "[{path: /, permission: authenticated}]", "trusted": "[127.0.0.1, 203.0.113.11]",
                        "automatic": {"mode": "block", "credentials": "{count: 3, seconds: 300}", "block_seconds": 10}}
    s = begin(new_server(config=config))

    def guess(address):
        asked = {"X-Original-Method": "GET", "X-Original-URI": "/", "X-Real-IP": address, "X-API-Key": "hf_" + "x" * 40}
        for _ in range(6):
            s.api(unix=True).call("GET", "/api/v1/guard/verdict", headers=asked)

    guess("203.0.113.11")
    guess("203.0.113.10")
    guess("2001:db8:1::10")
    comes_to(net, ["203.0.113.10", "2001:db8:1::"])
    assert not net.reaches("203.0.113.10") and net.reaches("203.0.113.11")
    until("both to be back", lambda: net.reaches("203.0.113.10") and net.reaches("2001:db8:1::10"), 15)
    assert net.elements() == []


# --- starts and ends


BLOCKS = ["198.51.100.10", "2001:db8:1::", "2001:db8:2::10", "203.0.113.0/24"]


def block_all(s):
    for network in BLOCKS:
        block(s, network + "/64" if network.endswith("::") else network)
    comes_to(s.net, BLOCKS)


def test_a_restart_restores_and_a_stop_cleans_up(desk):
    block_all(desk)
    assert desk.stop() == 0
    assert desk.net.table() is None
    assert all(desk.net.reaches(a) for a in ADDRESSES)
    desk.start()
    assert desk.net.elements() == []
    desk.unseal()
    desk.serving()
    comes_to(desk.net, BLOCKS)
    assert not any(desk.net.reaches(a, seconds=0.3) for a in ("203.0.113.10", "198.51.100.10", "2001:db8:1::10", "2001:db8:2::10"))


def test_what_is_blocked_stays_while_the_server_is_stopped_if_that_is_wanted(net, new_server):
    s = begin(new_server(config=settings(at_stop="keep", table="holdfast_kept")))
    elements = lambda: (net.table("holdfast_kept") or {}).get("hosts4")
    block(s, "203.0.113.10")
    until("the block", lambda: elements() == ["203.0.113.10"])
    s.stop()
    assert elements() == ["203.0.113.10"] and not net.reaches("203.0.113.10")
    s.start()
    assert elements() == ["203.0.113.10"], "a sealed server let go of it"
    s.unseal()
    s.serving()
    works(s)
    s.admin = s.api(s.login())
    unblock(s, "203.0.113.10")
    until("it to be back", lambda: elements() == [])
    s.stop()
    run("nft", "delete", "table", "inet", "holdfast_kept")


def test_a_crash_of_everything_leaves_the_blocks_and_the_next_start_takes_over(desk):
    block_all(desk)
    desk.crash()
    assert desk.net.elements() == sorted(BLOCKS) and not desk.net.reaches("203.0.113.10")
    desk.start()
    desk.unseal()
    desk.serving()
    works(desk)
    comes_to(desk.net, BLOCKS)


def test_a_reload_takes_other_ports_and_an_end_of_the_firewall(desk):
    net = desk.net
    block(desk, "203.0.113.10")
    until("it to be shut out", lambda: not net.reaches("203.0.113.10"))
    for ports in (f"[{CLOSED}]", None):
        former = children_of(desk.pid)["front"]
        if ports:
            desk.config["guard"]["firewall"]["ports"] = ports
        else:
            del desk.config["guard"]["firewall"]
        desk.write_config()
        os.kill(desk.pid, signal.SIGHUP)
        desk.child("front", other_than=former)
        desk.serving()
        until("the first port to be open", lambda: net.reaches("203.0.113.10"))
        until("the second one", lambda: net.reaches("203.0.113.10", CLOSED) != bool(ports))
    assert net.table() is None and "warden" not in children_of(desk.pid)
    assert desk.health()["firewall"] == "off"


# --- a warden that dies, and what others do to the rules


def test_a_killed_warden_changes_nothing_and_the_next_one_goes_on(desk):
    block_all(desk)
    for _ in range(2):
        pid = desk.kill("warden")
        assert desk.net.elements() == sorted(BLOCKS)
        desk.child("warden", other_than=pid)
        works(desk)
    assert len(events(desk, "FIREWALL_FAILED")) == 2 == len(events(desk, "FIREWALL_RESTORED"))
    unblock(desk, "203.0.113.0/24")
    comes_to(desk.net, [b for b in BLOCKS if b != "203.0.113.0/24"])
    assert desk.net.reaches("203.0.113.10") and not desk.net.reaches("198.51.100.10")


def test_without_a_warden_the_guard_refuses_alone_and_says_so(net, new_server, tmp_path):
    for role in (*holdfast.ROLES, "warden", "patterns"):
        (tmp_path / f"holdfast-{role}").symlink_to(holdfast.BUILD / "src" / role / f"holdfast-{role}")
    s = new_server(config=settings())
    start = s.start
    s.start = lambda: start(arguments=("--libexec-dir", tmp_path))
    begin(s)
    (tmp_path / "holdfast-warden").unlink()
    s.kill("warden")
    until("health to say it", lambda: s.health()["firewall"] == "failing")
    h = s.health()
    assert h["state"] == "serving" and "firewall" in h["sentence"]
    assert s.admin.ok("GET", "/api/v1/guard/status")["firewall"] == "failing"
    block(s, "203.0.113.10")
    assert s.admin.ok("GET", "/api/v1/guard/test?address=203.0.113.10")["verdict"] == "address-blocked"
    assert net.reaches("203.0.113.10")
    front = s.kill("front")  # it must not wait for a warden
    s.child("front", other_than=front)
    s.serving()
    (tmp_path / "holdfast-warden").symlink_to(holdfast.BUILD / "src" / "warden" / "holdfast-warden")
    works(s, 15)
    comes_to(net, ["203.0.113.10"])
    assert not net.reaches("203.0.113.10")


def test_a_table_that_somebody_removed_is_made_anew(desk):
    block_all(desk)
    run("nft", "delete", "table", "inet", "holdfast")
    until("the table", lambda: desk.net.elements() == sorted(BLOCKS), 12)
    works(desk)
    run("nft", "delete", "table", "inet", "holdfast")
    block(desk, "203.0.113.200")  # noticed at once, by the change that could not be made
    until("the table", lambda: desk.net.elements() == sorted([*BLOCKS, "203.0.113.200"]), 4)


# --- what is never blocked


def test_what_the_configuration_lets_in_never_reaches_the_kernel(desk):
    net = desk.net
    for network in ("198.51.100.0/24", "198.51.100.5", "10.1.2.3", "10.0.0.0/9", "96.0.0.0/4", "2000::/8", "169.254.0.0/16"):
        block(desk, network)
    comes_to(net, ["169.254.0.0/16"])
    left_out = lambda: desk.admin.ok("GET", "/api/v1/guard/status")["firewall_left_out"]
    until("status to count them", lambda: left_out() == 6, 15)
    unblock(desk, "10.1.2.3")
    until("status to count one less", lambda: left_out() == 5, 15)
    assert desk.health()["firewall"] == "working"
    pid = desk.kill("warden")
    desk.child("warden", other_than=pid)
    works(desk)
    comes_to(net, ["169.254.0.0/16"])
    assert left_out() == 5


def test_more_blocks_at_once_than_the_warden_takes_are_all_in_force_in_the_end(desk):
    networks = [f"203.0.{i}.0/24" for i in range(120)]
    for network in networks:
        block(desk, network)
    comes_to(desk.net, networks, 12)
    assert desk.health()["firewall"] == "working" and not events(desk, "FIREWALL_FAILED")


def test_who_is_let_in_at_run_time_is_not_dropped_with_his_network(desk):
    net = desk.net
    block(desk, "203.0.113.0/24")
    comes_to(net, ["203.0.113.0/24"])
    let_in(desk, "203.0.113.11")
    until("him to be let in", lambda: net.reaches("203.0.113.11"), 3)
    assert net.elements() == []
    unblock(desk, "203.0.113.11")
    until("him to be shut out again", lambda: not net.reaches("203.0.113.11"), 3)


def test_a_network_in_another_one_stays_blocked_when_that_one_is_not_any_more(desk):
    net = desk.net
    block(desk, "203.0.113.0/28")
    block(desk, "203.0.113.0/24")
    block(desk, "203.0.113.11")
    comes_to(net, ["203.0.113.0/24", "203.0.113.11"])
    unblock(desk, "203.0.113.0/24")
    comes_to(net, ["203.0.113.0/28", "203.0.113.11"])
    assert not net.reaches("203.0.113.10")


# --- what each process may


def capabilities(pid, kind):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(kind)), 16)


@pytest.fixture
def everybody_s(tmp_path_factory, monkeypatch):
    """The programs where another user can reach them, wherever the source is."""
    below = tmp_path_factory.mktemp("installed")
    for at in (below, *below.parents[:2]):
        at.chmod(0o755)
    subprocess.run(["meson", "install", "-C", holdfast.BUILD, "--no-rebuild", "--quiet", "--destdir", below], check=True)
    monkeypatch.setattr(holdfast, "PROGRAM", next(below.glob("**/bin/holdfast")))


def give_to_daemon(s):
    for name in ("venues_dir", "patterns_dir"):
        s.config.pop(name, None)  # those that are installed beside the programs
    s.write_config()
    os.chown(s.home, pwd.getpwnam("daemon").pw_uid, -1)


AMBIENT = ("setpriv", "--reuid", "daemon", "--regid", "daemon", "--clear-groups", "--inh-caps", "-all,+net_admin", "--ambient-caps", "+net_admin")


@pytest.mark.parametrize("config, prefix", [({"user": "daemon"}, ()), ({}, AMBIENT), ({}, ())],
                         ids=["root-becomes-user", "ambient", "root-stays"])
def test_nobody_but_the_warden_may_change_the_network(net, new_server, everybody_s, config, prefix):
    s = new_server(config={**settings(), **config})
    root_stays = not config and not prefix
    if not root_stays:
        give_to_daemon(s)
    start = s.start
    s.start = lambda: start(prefix=prefix)
    begin(s)

    def check():
        found = children_of(s.pid)
        assert set(found) == {"keeper", "signer", "front", "warden"}
        for role, pid in found.items():
            wanted = NET_ADMIN if role == "warden" else 0
            assert [capabilities(pid, k) for k in ("CapPrm", "CapEff", "CapInh", "CapAmb")] == [wanted, wanted, 0, 0], role
        if not root_stays:
            assert [capabilities(s.pid, k) for k in ("CapPrm", "CapEff", "CapAmb")] == [NET_ADMIN, 0, 0]

    check()
    pid = s.kill("warden")
    s.child("warden", other_than=pid)
    works(s)
    block(s, "203.0.113.10")
    comes_to(net, ["203.0.113.10"])
    former = children_of(s.pid)
    os.kill(s.pid, signal.SIGUSR2)
    s.child("warden", other_than=former["warden"])
    s.child("keeper", other_than=former["keeper"])
    s.serving()
    works(s)
    check()
    comes_to(net, ["203.0.113.10"])
    s.process.kill()  # the supervisor alone: nobody may go on without it
    s.process.wait(10)
    s.process = None
    until("all to end", lambda: not any(holdfast.alive(p) for p in children_of(1).values() if p in former.values()))


def test_without_a_firewall_no_capability_is_kept(net, new_server, everybody_s):
    s = new_server()
    give_to_daemon(s)
    s.start(prefix=AMBIENT)
    assert capabilities(s.pid, "CapPrm") == 0
    assert set(children_of(s.pid)) == {"keeper", "signer", "front"}
    # A reload can't bring back what was given up.
    s.config["guard"] = settings()["guard"]
    s.write_config()
    os.kill(s.pid, signal.SIGHUP)
    until("the refusal", lambda: "CAP_NET_ADMIN" in s.log())
    assert s.health()["state"] == "sealed" and "warden" not in children_of(s.pid)


@pytest.mark.parametrize("prefix", [("setpriv", "--bounding-set", "-net_admin"), ("setpriv", "--reuid", "daemon", "--clear-groups")])
def test_a_start_that_can_not_have_its_firewall_says_what_to_mend(net, new_server, prefix):
    s = new_server(config=settings())
    if "daemon" in prefix:
        os.chown(s.home, pwd.getpwnam("daemon").pw_uid, -1)
    with pytest.raises(Failed, match="did not start"):
        s.start(prefix=prefix)
    assert "guard.firewall" in s.log() and "CAP_NET_ADMIN" in s.log()


def test_a_kernel_that_does_not_take_the_rules_stops_the_start(net, new_server):
    s = new_server(config=settings(table="holdfast_taken"))
    holder = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        holder.stdin.write("add table inet holdfast_taken { flags owner; }\n")
        holder.stdin.flush()
        until("the table", lambda: "holdfast_taken" in net.rules())
        with pytest.raises(Failed, match="did not start"):
            s.start()
        assert "the kernel does not take the rules" in s.log()
    finally:
        holder.stdin.close()
        holder.wait(10)


@pytest.mark.parametrize("firewall, says", [
    ("{ports: []}", "which ports"), ("{ports: [80, all]}", "all stands alone"), ("{ports: [0]}", "port"), ("{ports: [65536]}", "port"),
    ("{ports: ['22 accept; x']}", "port"), ("{ports: [80], table: filter}", "holdfast"), ("{ports: [80], table: 'holdfast x'}", "holdfast"),
    ("{hook: input}", "ports"), ("{ports: [80], hook: output}", "hook"),
])
def test_settings_that_can_not_be_meant_are_refused(new_server, firewall, says):
    s = new_server()
    s.config_file.write_text(f"data_dir: {s.data}\nguard:\n  firewall: {firewall}\n")
    r = s.cli("server", "--config", s.config_file, code=2, seconds=5)
    assert ":3:" in r.stderr and says in r.stderr, r.stderr
