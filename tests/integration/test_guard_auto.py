"""What the guard does without anybody's doing: how often one address may sign in, and when it is blocked."""
import base64
import datetime
import http.client
import os
import signal
import subprocess
import threading
import time

import pytest

import server as holdfast
from server import PASSWORD, until

HERE, TRUSTED = "127.0.0.7", "127.0.0.1"


class From(holdfast.Api):
    """A client of this host with an address of its own."""

    def __init__(self, server, address, token=None):
        super().__init__(server, token)
        self.address = address

    def _connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=self.timeout, context=self.server.tls(),
                                           source_address=(self.address, 0))


def begin(guard):
    s = holdfast.Server(config={"mfa": {"required_roles": "[none]"}, "guard": {"trusted": f"[{TRUSTED}]", **guard}})
    try:
        return s.begin()
    except BaseException:
        s.remove()
        raise


def log_in(desk, address, name="admin"):
    return From(desk, address).call("POST", "/api/v1/login", {"name": name, "password": PASSWORD})


# --- log-ins


@pytest.fixture(scope="module")
def door():
    """With the limits that hold where nothing else is said."""
    s = begin({"proxies": "[unix]", "networks": "{others: allow}", "endpoints": "[{path: /, permission: authenticated}]"})
    yield s
    s.remove()


def test_wrong_passwords_of_one_address_are_few(door):
    answers = [log_in(door, "127.0.1.1", "nobody") for _ in range(3)]
    assert [a.code for a in answers] == ["bad-credentials"] * 3
    a = log_in(door, "127.0.1.1")
    assert (a.status, a.code) == (429, "too-many-attempts"), "the right one does not help now"
    assert 200 < int(a.headers["retry-after"]) <= 300
    assert a.headers["ratelimit-policy"] == '"failures";q=3;w=900, "authentication";q=5;w=300'
    assert a.headers["ratelimit"].startswith('"failures";r=0;t=')
    assert log_in(door, "127.0.1.2").status == 200, "another address"


def test_right_ones_are_no_failures_but_log_ins(door):
    assert [log_in(door, "127.0.1.3").status for _ in range(6)] == [200] * 5 + [429]


def test_many_at_once_are_no_way_around_it(door):
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(log_in(door, "127.0.1.4", "nobody").code)) for _ in range(12)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(codes) == ["bad-credentials"] * 3 + ["too-many-attempts"] * 9


def test_programs_with_basic_count_only_when_they_are_wrong(door):
    def ask(name):
        basic = base64.b64encode(f"{name}:{PASSWORD}".encode()).decode()
        return From(door, "127.0.1.5").call("GET", "/api/v1/keys", headers={"Authorization": f"Basic {basic}"})
    assert [ask("admin").status for _ in range(8)] == [200] * 8
    assert [ask("nobody").status for _ in range(4)] == [401] * 3 + [429]
    assert ask("admin").code == "too-many-attempts"


@pytest.mark.parametrize("address, path, body, code", [
    ("127.0.1.6", "/api/v1/tokens/refresh", {"refresh_token": "hfr_" + "x" * 60}, "token-invalid"),
    ("127.0.1.7", "/api/v1/login/second", {"ticket": "x", "totp": "123456"}, "bad-credentials"),
])
def test_other_doors_have_the_same_limit(door, address, path, body, code):
    answers = [From(door, address).call("POST", path, body) for _ in range(4)]
    assert [a.code for a in answers] == [code] * 3 + ["too-many-attempts"]


def test_what_is_no_try_does_not_count(door):
    for body in ({"name": "admin", "password": PASSWORD, "new_password": "weak"}, {"name": "admin"}):
        assert [From(door, "127.0.1.8").call("POST", "/api/v1/login", body).status for _ in range(2)] == [400] * 2
    assert log_in(door, "127.0.1.8").status == 200


def test_nobody_locks_out_those_who_are_trusted(door):
    for api in (From(door, TRUSTED), door.api(unix=True)):
        a = [api.call("POST", "/api/v1/login", {"name": "nobody", "password": "wrong"}) for _ in range(8)]
        assert {x.code for x in a} == {"bad-credentials"} and "ratelimit" not in a[0].headers
    assert log_in(door, TRUSTED).status == 200


def verdict(desk, address, token=None, path="/x", method="GET"):
    headers = {"X-Forwarded-Method": method, "X-Forwarded-Uri": path, "X-Forwarded-For": address}
    return desk.api(token, unix=True).call("GET", "/api/v1/guard/verdict", headers=headers)


def key_of(desk, name, **more):
    made = desk.admin.ok("POST", "/api/v1/keys", {"name": name, "roles": ["viewer"], "environment": "development",
                                                   "usage": "read_only", **more})
    return made["key"]


@pytest.mark.parametrize("addresses", [["198.51.100.1"], ["2001:db8:1:1::1", "2001:db8:1:1:ffff::2"]])
def test_the_guard_answers_wrong_keys_a_few_times(door, addresses):
    key = key_of(door, f"bot-{addresses[0].replace(':', '-')}")
    wrong = key[:-7] + ("AAAAAAA" if not key.endswith("AAAAAAA") else "BBBBBBB")
    answers = [verdict(door, addresses[i % len(addresses)], wrong) for i in range(4)]
    assert [a.status for a in answers] == [401] * 3 + [429], [a.code for a in answers]
    assert answers[3].code == "too-many-attempts" and int(answers[3].headers["retry-after"]) > 0
    assert verdict(door, addresses[0], key).status == 200, "what nobody can guess is let through all the same"
    assert verdict(door, "198.51.100.77", wrong).status == 401, "other addresses have limits of their own"


# --- blocks


AUTOMATIC = "{mode: block, credentials: {count: 4, seconds: 60}, attacks: {count: 2, seconds: 60}, " \
            "limits: {count: 6, seconds: 60}, hosts: {count: 3, seconds: 600}, block_seconds: 2, longest_seconds: 600}"
GUARD = {"proxies": "[unix]", "trusted": f"[{TRUSTED}, 203.0.116.99]", "networks": "{allow: [192.0.2.0/24], others: allow}", "automatic": AUTOMATIC,
         "failures": "{requests: 1000, seconds: 60}",
         "rates": "[{name: address, by: address, requests: 10, seconds: 60}]",
         "endpoints": "[{path: /open, permission: public}, {path: /, permission: authenticated}]"}


@pytest.fixture(scope="module")
def desk():
    s = begin(GUARD)
    yield s
    s.remove()


def wrong_key(desk, address):
    return verdict(desk, address, "hfk_nonsense")


def fail(desk, address, times=5):
    return [wrong_key(desk, address).code for _ in range(times)]


def blocks(desk):
    return {b["network"]: b for b in desk.admin.ok("GET", "/api/v1/guard/blocks")["blocks"]}


def blocked(desk, network):
    return until(f"a block of {network}", lambda: blocks(desk).get(network))


def seconds(time):
    return datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()


def block_records(desk):
    return desk.admin.ok("GET", "/api/v1/audit/records?type=ADDRESS_BLOCKED&limit=100")["records"]


def recorded(desk, network):
    """Its record, which follows the block, and comes with its row."""
    return until(f"the record of {network}", lambda: next(
        (r for r in block_records(desk) if r["what"]["resource"] == f"network:{network}"), None))


@pytest.mark.parametrize("address, network", [("198.51.1.1", "198.51.1.1"), ("2001:db8:1::5", "2001:db8:1::/64")])
def test_who_is_wrong_too_often_is_blocked_for_a_while(desk, address, network):
    assert set(fail(desk, address, 4)) == {"key-malformed"}
    assert network not in blocks(desk)
    wrong_key(desk, address)
    b = blocked(desk, network)
    assert (b["origin"], b["reason"], b["times"]) == ("automatic", "credentials", 1)
    assert verdict(desk, address).code == "address-blocked"
    r = recorded(desk, network)
    assert r["what"]["detail"].startswith("automatic: credentials, until 2")
    until("it to end", lambda: verdict(desk, address).code == "unauthenticated", 6)
    assert network not in blocks(desk)


def test_the_next_block_lasts_twice_as_long(desk):
    lasts = []
    for n in (1, 2, 3):
        fail(desk, "198.51.2.1")
        b = blocked(desk, "198.51.2.1")
        assert b["times"] == n
        lasts.append(round(seconds(b["ends"]) - seconds(b["since"])))
        until("it to end", lambda: verdict(desk, "198.51.2.1").code == "unauthenticated", 12)
    assert lasts == [2, 4, 8]


def test_attacks_and_limits_lead_there_too(desk):
    for path, code in (("/open/..%2fx", "path-ambiguous"), ("/open?q=1%27%20UNION%20SELECT%20password%20FROM%20users--", "attack-pattern"),
                       ("/open/..%2fx", "path-ambiguous")):
        assert verdict(desk, "198.51.3.1", path=path).code == code
    assert blocked(desk, "198.51.3.1")["reason"] == "attacks"
    codes = [verdict(desk, "198.51.4.1", path="/open").status for _ in range(17)]
    assert codes[:10] == [200] * 10 and set(codes[10:]) == {429}
    assert blocked(desk, "198.51.4.1")["reason"] == "limits"


def test_what_is_merely_missing_or_old_counts_as_nothing(desk):
    for _ in range(8):
        assert verdict(desk, "198.51.5.1").code == "unauthenticated"
        assert verdict(desk, "198.51.6.1", "hfs_" + "x" * 43).code == "unauthenticated"
    desk.admin.ok("GET", "/api/v1/session")
    assert not {"198.51.5.1", "198.51.6.1"} & set(blocks(desk))


def test_who_is_let_in_by_name_and_who_is_trusted_is_never_blocked(desk):
    for address, why in (("192.0.2.9", "let in by name"), (TRUSTED, "trusted")):
        fail(desk, address, 12)
        assert why in desk.admin.ok("GET", f"/api/v1/guard/test?address={address}")["automatic"]
    fail(desk, "198.51.7.1")
    blocked(desk, "198.51.7.1")  # what was before it has been looked at
    assert not {"192.0.2.9", TRUSTED} & set(blocks(desk))


def test_who_may_lift_blocks_is_never_locked_out(desk):
    admin = From(desk, "127.0.2.1", log_in(desk, "127.0.2.1").json["token"])
    for _ in range(10):
        From(desk, "127.0.2.1", "hfk_nonsense").call("GET", "/api/v1/session")
    assert "signed in" in admin.ok("GET", "/api/v1/guard/test?address=127.0.2.1")["automatic"]
    fail(desk, "198.51.8.1")
    blocked(desk, "198.51.8.1")
    assert "127.0.2.1" not in blocks(desk)


def test_a_blocked_address_does_not_sign_in_either(desk):
    for _ in range(5):
        From(desk, "127.0.2.2", "hfk_nonsense").call("GET", "/api/v1/session")
    blocked(desk, "127.0.2.2")
    assert log_in(desk, "127.0.2.2").code == "address-blocked"
    desk.admin.ok("DELETE", "/api/v1/guard/networks?network=127.0.2.2")
    assert log_in(desk, "127.0.2.2").status == 200


def test_test_says_how_much_more_it_takes(desk):
    def said():
        return desk.cli_json("guard", "test", "198.51.9.1")["automatic"]
    assert said() == ("blocked after more than 4 wrong credentials, 2 requests that look like an attack or 6 requests "
                      "beyond a limit")
    fail(desk, "198.51.9.1", 3)
    assert said().startswith("blocked after more than 1 wrong credentials,")


def test_who_is_let_go_begins_anew(desk):
    fail(desk, "203.0.113.1")
    blocked(desk, "203.0.113.1")
    desk.cli("guard", "unblock", "203.0.113.1")
    assert set(fail(desk, "203.0.113.1", 4)) == {"key-malformed"}
    fail(desk, "203.0.117.1")
    blocked(desk, "203.0.117.1")  # what was before it has been looked at
    assert "203.0.113.1" not in blocks(desk)


def test_many_blocked_hosts_block_their_network(desk):
    for n in range(1, 5):
        fail(desk, f"203.0.114.{n}")
        blocked(desk, f"203.0.114.{n}")
    b = blocked(desk, "203.0.114.0/24")
    assert b["reason"] == "hosts"
    assert verdict(desk, "203.0.114.200").code == "address-blocked"
    assert verdict(desk, "203.0.115.1").code == "unauthenticated"


def test_a_network_with_somebody_trusted_in_it_is_not_blocked_as_a_whole(desk):
    for n in range(1, 6):
        fail(desk, f"203.0.116.{n}")
        blocked(desk, f"203.0.116.{n}")
    fail(desk, "198.51.10.1")
    blocked(desk, "198.51.10.1")
    assert "203.0.116.0/24" not in blocks(desk)


def test_blocks_survive_a_crash(new_server):
    s = new_server(config={"mfa": {"required_roles": "[none]"}, "guard": {
        **GUARD, "automatic": AUTOMATIC.replace("block_seconds: 2", "block_seconds: 300")}})
    s.begin()
    fail(s, "198.51.1.1")
    before = blocked(s, "198.51.1.1")
    recorded(s, "198.51.1.1")
    s.crash()
    s.start(), s.unseal(), s.serving()
    s.admin = s.api(s.login())
    assert verdict(s, "198.51.1.1").code == "address-blocked"
    after = blocks(s)["198.51.1.1"]
    assert {k: after[k] for k in ("since", "ends", "reason", "times")} == {
        k: before[k] for k in ("since", "ends", "reason", "times")}


# --- for people who look


def test_top_names_who_is_refused_most(desk):
    key = key_of(desk, "busy")
    for _ in range(9):
        wrong_key(desk, "198.18.7.7") if _ % 2 else verdict(desk, "198.18.8.8", key)
    top = {t["who"]: t for t in desk.admin.ok("GET", "/api/v1/guard/top?limit=100")["top"]}
    assert (top["198.18.7.7"]["refused"], top["198.18.7.7"]["requests"]) == (4, 4)
    assert (top["198.18.8.8"]["refused"], top["198.18.8.8"]["requests"]) == (0, 5)
    assert next(t for who, t in top.items() if who.startswith("key:"))["requests"] == 5
    shown = desk.cli_json("guard", "top", "--limit", "3")["top"]
    assert len(shown) == 3 and shown[0]["refused"] >= shown[1]["refused"] >= shown[2]["refused"]
    assert "REFUSED" in desk.cli("guard", "top").stdout


def test_live_shows_decisions_as_they_are_made(desk):
    key = key_of(desk, "seen")
    def live(after, more=""):
        return desk.admin.ok("GET", f"/api/v1/guard/live?after={after}{more}")
    begin = live(0)
    assert begin["decisions"] == [] and begin["lost"] == 0
    verdict(desk, "198.19.1.1", key, "/a/b")
    wrong_key(desk, "198.19.1.2")
    log_in(desk, TRUSTED, "nobody")
    def three():
        got = live(begin["next"])
        return len(got["decisions"]) >= 3 and got
    got = until("three decisions", three)
    # Each is noted by its thread after its answer, so two answers of different threads may stand the other way round.
    by_verdict = {d["verdict"]: d for d in got["decisions"]}
    allowed, refused, login = (by_verdict[v] for v in ("allowed", "key-malformed", "bad-credentials"))
    assert (allowed["address"], allowed["method"], allowed["path"]) == ("198.19.1.1", "GET", "/a/b")
    assert allowed["identity"].startswith("key:") and "time" in allowed
    assert refused["address"] == "198.19.1.2" and "identity" not in refused
    assert login["path"] == "/api/v1/login"
    assert live(got["next"])["decisions"] == []
    for more, count in (("&outcome=refused", 2), ("&outcome=allowed", 1), ("&network=198.19.1.0/24", 2),
                        (f"&identity={allowed['identity']}", 1)):
        assert len(live(begin["next"], more)["decisions"]) == count, more
    assert desk.admin.call("GET", "/api/v1/guard/live?network=x").status == 400
    at = live(got["next"])["next"]
    verdict(desk, "198.19.1.1", method="PROPFIND")
    assert [d.get("method") for d in live(at)["decisions"]] == ["PROPFIND"], live(at)


def test_the_command_line_watches_until_it_is_interrupted(desk):
    watching = subprocess.Popen([holdfast.PROGRAM, "guard", "live", "--outcome", "refused"], stdout=subprocess.PIPE, text=True,
                                env={**os.environ, "HOLDFAST_HOME": str(desk.profile)},
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # in the background it is ignored
    try:
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(watching.stdout.readline, "")))
        reader.start()
        def seen():
            wrong_key(desk, "198.19.2.2")
            return any("198.19.2.2" in line and "key-malformed" in line for line in lines)
        until("a line", seen, every=0.3)
    finally:
        watching.send_signal(signal.SIGINT)
        watching.wait(10)
        reader.join(10)


@pytest.mark.parametrize("path", ["blocks", "top", "live", "test?address=192.0.2.1"])
def test_only_who_may_see_the_record_sees_this(desk, path):
    assert desk.api(key_of(desk, f"plain-{path[:4]}")).call("GET", f"/api/v1/guard/{path}").code == "forbidden"
    assert desk.api().call("GET", f"/api/v1/guard/{path}").code == "unauthenticated"


# --- a flood


def automatic_blocks(s):
    return s.admin.ok("GET", "/api/v1/guard/status")["networks"]["automatic"]


def in_records(s):
    """The records of blocks, once they name as many as there are: what is collected follows within half a second."""
    records, page = [], {"next": 1 << 53}
    number = automatic_blocks(s)
    while "next" in page:
        page = s.admin.ok("GET", f"/api/v1/audit/records?type=ADDRESS_BLOCKED&limit=1000&before={page['next']}")
        records += page["records"]
    named = sum(1 + len(r["what"].get("also", "").split()) for r in records)
    return records if named == number == automatic_blocks(s) else None


def test_a_flood_of_addresses_costs_a_bounded_amount(new_server):
    s = new_server(config={"mfa": {"required_roles": "[none]"}, "guard": {
        **GUARD, "automatic": "{mode: block, credentials: {count: 1, seconds: 600}, hosts: {count: 200, seconds: 600}, block_seconds: 600}"}})
    s.begin()
    threads, each = 4, 700
    def flood(n):
        api = s.api("hfk_nonsense", unix=True)
        for i in range(each):
            headers = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/x", "X-Forwarded-For": f"198.{18 + n}.{i >> 6}.{i & 63}"}
            for _ in range(2):
                api.call("GET", "/api/v1/guard/verdict", headers=headers)
        api.close()
    began = time.monotonic()
    workers = [threading.Thread(target=flood, args=(n,)) for n in range(threads)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    until("the last one", lambda: wrong_key(s, f"198.{18 + threads - 1}.{(each - 1) >> 6}.{(each - 1) & 63}").code == "address-blocked")
    took = time.monotonic() - began
    records = until("all records", lambda: in_records(s))
    things = [t for r in records for t in [r["what"]["resource"], *r["what"].get("also", "").split()]]
    number = automatic_blocks(s)
    assert len(things) == len(set(things)) == number > 300, "each block is named by exactly one record"
    assert len(records) <= number / 16 + 64 + 4 * took + 4, (len(records), number, took)
    assert s.admin.ok("GET", "/api/v1/guard/blocks").get("more", False) is (number > 1000)
    # Who asks about one of them finds it, and why and until when.
    for network in things[::number // 40]:
        found = s.admin.ok("GET", f"/api/v1/audit/records?resource={network}")["records"]
        assert [r["type"] for r in found] == ["ADDRESS_BLOCKED"], network
        said = found[0]["what"]["detail"].removeprefix("automatic: ").split("; ")
        (mine,) = [x for x in said if network.removeprefix("network:") + ": " in x] if len(said) > 1 else said
        assert "credentials, until 2" in mine
    assert things[5].removeprefix("network:") in s.cli("audit", "search", "--resource", things[5]).stdout
    # An honest client that is known goes on, and so do the operator's own blocks.
    assert verdict(s, "203.0.113.5", key_of(s, "honest")).status == 200
    s.cli("guard", "block", "203.0.113.77", "--minutes", "5")
    assert verdict(s, "203.0.113.77").code == "address-blocked"
    # All are in the store: a crash takes none away.
    s.crash()
    s.start(), s.unseal(), s.serving()
    s.admin = s.api(s.login())
    assert automatic_blocks(s) == number
    for network in things[::number // 40]:
        assert verdict(s, network.removeprefix("network:")).code == "address-blocked"
    assert not s.admin.ok("GET", "/api/v1/status")["tampered"]
