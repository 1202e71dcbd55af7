"""Four eyes with real processes: what one administrator asks and another one approves, each with a profile of his own."""
import json
from urllib.parse import urlencode

import pytest

import desk as desks
import server as holdfast

PATH = "exchange/binance/main"
LOWER = {"classes": ["read", "cancel", "order"]}  # other than what was there
DAY = 24 * 3600 * 1000


class Admin:
    def __init__(self, server, name, profile):
        self.server, self.name, self.profile = server, name, profile
        self.key = ("--key-passphrase-file", server.home / "key-passphrase")

    def cli(self, *arguments, **more):
        return self.server.cli(*arguments, profile=self.profile, **more)

    def json(self, *arguments, **more):
        return json.loads(self.cli(*arguments, "-o", "json", **more).stdout)

    def approve(self, request, **more):
        return self.cli("approval", "approve", request, *self.key, "--yes", **more)

    def policy(self, policy, **more):
        file = self.server.file("policy.json", json.dumps(policy))
        return self.cli("credential", "policy", PATH, "--policy", file, *self.key, "--yes", **more)

    def waiting(self):
        return self.json("approval", "list")["requests"]


def second(server, alice, name):
    """As a person becomes an administrator; what is shown of his key is all that goes from one to the other."""
    profile = server.home / f"profile-{name}"
    profile.mkdir(mode=0o700)
    who = Admin(server, name, profile)
    key = who.json("operator", "admin", "key", name, *who.key)["key"]
    return who, key


def enrol(server, who, token):
    address = ("--address", f"https://127.0.0.1:{server.port}", "--cacert", server.data / "tls" / "server.crt")
    who.cli("enrol", who.name, "--enrolment-file", server.file("token-" + who.name, token), "--password-file",
            server.home / "password", *address, "--yes")
    server.equip(who.name, (who.profile / "session").read_text().strip())
    return who


def two(server):
    alice = Admin(server, "admin", server.profile)
    bob, key = second(server, alice, "bob")
    added = alice.json("operator", "admin", "add", "bob", "--key", key, *alice.key)
    return alice, enrol(server, bob, added["enrolment_token"])


def turn_on(alice, bob, *what):
    request = alice.json("operator", "four-eyes", "on", *what, *alice.key, "--yes")["id"]
    bob.approve(request)


@pytest.fixture
def pair(new_server):
    s = new_server().start()
    s.init()
    s.serving()
    s.enrol()
    s.admin = s.api(s.login())
    alice, bob = two(s)
    desks.store(s, "binance")
    turn_on(alice, bob)
    return s, alice, bob


def policy_of(s):
    return s.admin.ok("GET", f"/api/v1/credentials/data/{PATH}")


def events(s, kind):
    return [json.dumps(r) for r in s.admin.ok("GET", f"/api/v1/audit/records?type={kind}")["records"]]


def test_a_desk_of_one_decides_alone_and_is_told_so(desk):
    assert desk.cli_json("operator", "status")["four_eyes"] == "nothing"
    r = desk.cli("operator", "four-eyes", "on", "--key-passphrase-file", desk.home / "key-passphrase", "--yes", code=2)
    assert "add another one first" in r.stderr, r
    desks.store(desk, "binance")


def test_turning_it_on_takes_both(new_server):
    s = new_server().start()
    s.init()
    s.serving()
    s.enrol()
    alice, bob = two(s)
    request = alice.json("operator", "four-eyes", "on", *alice.key, "--yes")["id"]
    assert alice.json("operator", "four-eyes")["four_eyes"] == "nothing"
    r = alice.approve(request, code=4)
    assert "same-administrator" in r.stderr, r
    r = bob.approve(request)
    assert "+ policy, administrators, rekey, emergency" in r.stderr and "Asked by user:admin" in r.stderr, r
    assert alice.json("operator", "status")["four_eyes"] == "policy, administrators, rekey, emergency"
    assert alice.waiting() == []
    s.crash()  # the keeper has it, not a file
    s.start()
    s.unseal()
    s.serving()
    assert alice.json("operator", "status")["four_eyes"] == "policy, administrators, rekey, emergency"


def test_a_policy_is_lowered_by_two_and_both_are_in_the_record(pair):
    s, alice, bob = pair
    r = alice.policy(LOWER)
    assert "approval approve" in r.stderr, r
    assert policy_of(s)["version"] == 1
    (request,) = alice.waiting()
    assert request["name"] == PATH and request["kind"] == "credential" and request["asked_by"] == "user:admin"
    shown = bob.cli("approval", "show", request["id"]).stderr
    assert '-                  "amend",' in shown, shown  # what goes is shown before anything is signed
    r = bob.approve(request["id"])
    assert "at version 2" in r.stderr, r
    assert policy_of(s)["policy"] == LOWER and policy_of(s)["version"] == 2 and bob.waiting() == []
    bob.approve(request["id"], code=5)  # it is closed
    (changed,) = events(s, "CREDENTIAL_POLICY_CHANGED")
    assert "approved by admin and bob" in changed, changed
    assert "asked by user:admin" in events(s, "APPROVAL_REQUESTED")[0]
    assert "user:bob" in events(s, "APPROVAL_GIVEN")[0]


def test_a_new_key_and_a_new_credential_take_two_and_a_stop_takes_one(pair):
    s, alice, bob = pair
    desks.store(s, "binance")  # another key under the same policy
    desks.store(s, "phemex")
    assert policy_of(s)["version"] == 1
    for request in alice.waiting():
        bob.approve(request["id"])
    assert policy_of(s)["version"] == 2
    assert s.admin.ok("GET", "/api/v1/credentials/data/exchange/phemex/main")["version"] == 1
    alice.cli("credential", "freeze", PATH)
    alice.cli("credential", "release", PATH, *alice.key, "--yes")
    assert policy_of(s)["frozen"]
    (request,) = alice.waiting()
    bob.approve(request["id"])
    assert not policy_of(s)["frozen"]
    alice.cli("credential", "revoke", PATH, *alice.key, "--yes")
    assert policy_of(s)["revoked"]


def test_rejected_stale_and_expired_requests_move_nothing(pair):
    s, alice, bob = pair
    alice.policy(LOWER)
    (request,) = alice.waiting()
    bob.cli("approval", "reject", request["id"], "--reason", "not without a limit")
    assert alice.waiting() == []
    (rejected,) = events(s, "APPROVAL_REJECTED")
    assert "asked by user:admin" in rejected, rejected
    bob.approve(request["id"], code=5)
    alice.policy(LOWER)
    bob.policy({"classes": ["read"]})
    lower, raise_ = alice.waiting()
    alice.approve(raise_["id"])
    r = bob.approve(lower["id"], code=6)  # what it builds on is gone
    assert "approval-stale" in r.stderr, r
    assert policy_of(s)["version"] == 2
    # One approval sent as if it were both, past the command line.
    whole = s.admin.ok("GET", f"/api/v1/approvals/{lower['id']}")
    put = {"descriptor": whole["what"], "previous": whole["previous"], "approval": whole["approval"]}
    s.admin.refused("approval-stale", "PUT", f"/api/v1/credentials/data/{PATH}", put)


def test_one_approval_is_not_two(pair):
    s, alice, bob = pair
    alice.policy(LOWER)
    (request,) = alice.waiting()
    whole = s.admin.ok("GET", f"/api/v1/approvals/{request['id']}")
    put = {"descriptor": whole["what"], "previous": whole["previous"], "approval": whole["approval"]}
    s.admin.refused("second-approval-needed", "PUT", f"/api/v1/credentials/data/{PATH}", put)
    s.admin.refused("same-administrator", "PUT", f"/api/v1/credentials/data/{PATH}", {**put, "second": put["approval"]})
    s.admin.refused("forbidden", "POST", f"/api/v1/approvals/{request['id']}/approve", {"approval": whole["approval"]})
    bob.api = s.api(s.login("bob"))
    bob.api.refused("forbidden", "POST", f"/api/v1/approvals/{request['id']}/approve", {"approval": whole["approval"]})
    assert policy_of(s)["version"] == 1


def test_administrators_and_data_keys_take_two(pair):
    s, alice, bob = pair
    carol, key = second(s, alice, "carol")
    alice.cli("operator", "admin", "add", "carol", "--key", key, *alice.key)
    (request,) = alice.waiting()
    added = bob.approve(request["id"])
    token = added.stdout.split("token: ")[1].split()[0]
    enrol(s, carol, token)
    epoch = alice.json("operator", "status")["epoch"]
    carol.cli("operator", "rotate", *carol.key)
    (request,) = alice.waiting()
    alice.approve(request["id"])
    assert alice.json("operator", "status")["epoch"] == epoch + 1
    carol.cli("operator", "admin", "remove", "bob", *carol.key, "--yes")
    (request,) = alice.waiting()
    bob.approve(request["id"])  # he may agree to go
    assert [a["name"] for a in alice.json("operator", "admin", "list")["list"]] == ["admin", "carol"]
    carol.policy(LOWER)
    (request,) = alice.waiting()
    r = bob.approve(request["id"], code=4)
    assert "not-administrator" in r.stderr, r
    assert policy_of(s)["version"] == 1
    assert "administrators" in alice.json("operator", "four-eyes")["four_eyes"]
    carol.cli("operator", "admin", "remove", "admin", *carol.key, "--yes")
    request = next(q for q in alice.waiting() if q["kind"] == "administrator-remove")
    r = alice.approve(request["id"], code=2)
    assert "turn four eyes off first" in r.stderr, r


def test_what_goes_past_the_api_is_finished_on_the_host(pair):
    """The second one is at home: he approves over the API, and the first one runs it."""
    s, alice, bob = pair
    request = json.loads(alice.cli("operator", "four-eyes", "off", *alice.key, "--yes", "-o", "json").stdout)["id"]
    r = bob.approve(request, env={"HOLDFAST_DATA_DIR": "/nowhere"})
    assert "approval run" in r.stderr, r
    assert alice.json("operator", "four-eyes")["four_eyes"] != "nothing"
    alice.cli("approval", "run", request)
    assert alice.json("operator", "four-eyes")["four_eyes"] == "nothing"
    alice.policy({"classes": ["read"]})
    assert policy_of(s)["version"] == 2


def test_a_request_that_nobody_answers_leaves_with_a_record(new_server):
    clock = holdfast.Clock()
    try:
        s = new_server(clock=clock).start()
        s.init()
        s.serving()
        s.enrol()
        s.admin = s.api(s.login())
        alice, bob = two(s)
        desks.store(s, "binance")
        turn_on(alice, bob)
        alice.policy(LOWER)
        (request,) = alice.waiting()
        for role in holdfast.ROLES:
            clock.shift(role, DAY)
        s.cli_login("admin", profile=alice.profile)
        s.cli_login("bob", profile=bob.profile)
        bob.approve(request["id"], code=5)
        s.admin = s.api(s.login())
        holdfast.until("the request to leave", lambda: events(s, "APPROVAL_EXPIRED"), 75)
        assert PATH in events(s, "APPROVAL_EXPIRED")[0]
        assert policy_of(s)["version"] == 1
    finally:
        clock.remove()


# --- emergency access

SECRET = "database/production-main"


@pytest.fixture
def eve(pair):
    """Who may override in an emergency and has no grant."""
    s, _, _ = pair
    s.admin.ok("POST", "/api/v1/users", {"name": "eve", "password": holdfast.PASSWORD, "roles": ["emergency_responder"]})
    s.admin.ok("PATCH", "/api/v1/users/bob", {"environments": ["production"]})
    writer = s.api(s.login("bob"))
    writer.ok("POST", "/api/v1/secrets", {"path": SECRET, "kind": "password", "environment": "production", "value": "hunter2",
                                          "reason": "test"})
    profile = s.home / "profile-eve"
    profile.mkdir(mode=0o700)
    who = Admin(s, "eve", profile)
    where = ("--address", f"https://127.0.0.1:{s.port}", "--cacert", s.data / "tls" / "server.crt")
    who.cli("login", "eve", "--password-file", s.home / "password", *where, "--yes")
    return who


def read(who, code=0):
    return who.cli("secret", "get", SECRET, "--raw", "--reason", "restart the desk", code=code)


def test_emergency_access_asks_somebody_else_and_ends_by_itself(pair, eve):
    s, alice, bob = pair
    read(eve, code=4)
    r = eve.cli("emergency", "begin", "--for", "10m", "--reason", "exchange down", "--yes")
    request = r.stderr.split("approval approve ")[1].split()[0]
    eve.cli("emergency", "begin", "--request", request, "--yes", code=4)  # nobody has answered
    read(eve, code=4)
    r = bob.approve(request)
    assert "eve may touch every secret for 10 minutes" in r.stderr and "exchange down" in r.stderr, r
    eve.cli("emergency", "begin", "--request", request, "--yes", "--reason", "something else")
    assert read(eve).stdout == "hunter2"
    (record,) = [e for e in events(s, "EMERGENCY_ACCESS") if '"done"' in e]
    assert "approved by bob" in record and "exchange down" in record and "for 600 seconds" in record, record
    assert any("emergency access: restart the desk" in e for e in events(s, "SECRET_READ"))
    # In this session alone, and to hand on nothing.
    other = s.api(s.login("eve"))
    other.refused("forbidden", "GET", f"/api/v1/secrets/data/{SECRET}", headers={"X-Holdfast-Reason": "x"})
    assert eve.json("whoami")["secret_level"] == "emergency" and eve.json("whoami")["environments"] == []
    eve.cli("emergency", "begin", "--request", request, "--yes", code=5)  # it was good once
    eve.cli("emergency", "end")
    read(eve, code=4)
    assert events(s, "EMERGENCY_ENDED")


def test_nobody_approves_his_own_emergency(pair):
    s, alice, bob = pair
    r = alice.cli("emergency", "begin", "--reason", "bored", "--yes")
    request = r.stderr.split("approval approve ")[1].split()[0]
    alice.approve(request, code=4)
    s.admin.refused("approval-needed", "POST", "/api/v1/emergency", {"reason": "bored", "request": request})
    s.admin.refused("reason-needed", "POST", "/api/v1/emergency", {"reason": " "}, headers={"X-Holdfast-Reason": " "})


def test_nobody_takes_all_places_with_his_emergencies(pair, eve):
    """64 requests may wait, of all kinds: who may override must not keep everybody's changes waiting for an hour."""
    s, _, _ = pair
    ask, emergency = "/api/v1/emergency/ask", {"seconds": 60, "reason": "exchange down"}
    hers = s.api(s.login("eve"))
    waiting = [r for r in s.admin.ok("GET", "/api/v1/approvals")["requests"] if r["name"] == "eve"]
    for _ in range(4 - len(waiting)):
        hers.ok("POST", ask, emergency)
    hers.refused("limit-reached", "POST", ask, emergency)
    mine = s.admin.ok("POST", ask, emergency)
    s.admin.ok("POST", f"/api/v1/approvals/{mine['id']}/reject")


def test_without_four_eyes_it_needs_a_reason_alone_and_a_denial_beats_it(new_server):
    clock = holdfast.Clock()
    try:
        s = new_server(clock=clock).start()
        s.init()
        s.serving()
        s.enrol()
        s.admin = s.api(s.login())
        s.admin.ok("POST", "/api/v1/users", {"name": "sue", "password": holdfast.PASSWORD, "environments": ["production"],
                                             "roles": ["trader", "system_admin", "service-account"]})
        s.api(s.login("sue")).ok("POST", "/api/v1/secrets", {"path": SECRET, "kind": "password", "environment": "production",
                                                             "value": "hunter2", "reason": "test"})
        s.admin.ok("POST", "/api/v1/roles", {"name": "no-secrets", "grants": ["market:read"], "denies": ["secrets:access"]})
        for name, roles in (("eve", ["emergency_responder"]), ("dan", ["emergency_responder", "no-secrets"]), ("tom", ["viewer"])):
            s.admin.ok("POST", "/api/v1/users", {"name": name, "password": holdfast.PASSWORD, "roles": roles})
        why = {"X-Holdfast-Reason": "exchange down"}
        api = {name: s.api(s.login(name)) for name in ("eve", "dan", "tom")}
        api["tom"].refused("forbidden", "POST", "/api/v1/emergency", {"seconds": 60, "reason": "exchange down"})
        sue = s.api(s.login("sue"))  # may know of the secret
        asked = urlencode({"permission": "secrets:access", "resource": f"secret:{SECRET}", "level": "write"})

        def explained(name, who=sue):
            x = who.ok("GET", f"/api/v1/explain?identity=user:{name}&{asked}")
            return x["allowed"], x["rule"]

        def able():
            page = sue.ok("GET", f"/api/v1/who-can?{asked}")["identities"]
            return {x["identity"]: x["rule"] for x in page}
        assert explained("eve") == (False, "not-granted") and "user:eve" not in able()
        assert explained("eve", api["eve"]) == (False, "not-granted")
        for name in ("eve", "dan"):
            api[name].refused("out-of-range", "POST", "/api/v1/emergency", {"seconds": 14401, "reason": "exchange down"})
            api[name].ok("POST", "/api/v1/emergency", {"seconds": 60, "reason": "exchange down"})
        assert explained("eve") == explained("eve", api["eve"]) == (True, "emergency-access")
        assert explained("dan") == (False, "role-denies")
        assert able()["user:eve"] == "emergency-access" and "user:dan" not in able()
        authzen = {"subject": {"type": "user", "id": "eve"}, "action": {"name": "secrets:access"},
                   "resource": {"type": "secret", "id": SECRET}}
        assert sue.ok("POST", "/access/v1/evaluation", authzen)["decision"] is False  # it can't say in which session
        api["dan"].refused("forbidden", "GET", f"/api/v1/secrets/data/{SECRET}", headers=why)
        assert api["eve"].ok("GET", f"/api/v1/secrets/data/{SECRET}", headers=why)["value"] == "hunter2"
        s.admin.ok("PATCH", "/api/v1/users/eve", {"roles": ["viewer"]})  # what he began goes with the right to begin it
        api["eve"].refused("forbidden", "GET", f"/api/v1/secrets/data/{SECRET}", headers=why)
        s.admin.ok("PATCH", "/api/v1/users/eve", {"roles": ["emergency_responder"]})
        assert api["eve"].ok("GET", f"/api/v1/secrets/data/{SECRET}", headers=why)["value"] == "hunter2"
        for role in holdfast.ROLES:
            clock.shift(role, 61000)
        api["eve"].refused("forbidden", "GET", f"/api/v1/secrets/data/{SECRET}", headers=why)
        assert explained("eve") == (False, "not-granted")
    finally:
        clock.remove()
