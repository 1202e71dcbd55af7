"""API keys against a real server: where a key is shown from, what survives a kill, and the command line."""
import hashlib
import json
import secrets
import time

import pytest

import test_mfa
from server import PASSWORD, until

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(number, length):
    text = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        text = ALPHABET[digit] + text
    return text


def another_secret(key, secret="0"):
    """A well-formed key of the same id."""
    import zlib
    head = key[:-49] + secret * 43
    return head + base62(zlib.crc32(head.encode()), 6)


@pytest.fixture
def key(desk):
    return desk.cli_json("key", "create", "feed", "--role", "viewer")


def test_guessing_shuts_out_the_guesser_alone(desk, key):
    network, local = desk.api(), desk.api(unix=True)
    mine, wrong = {"X-API-Key": key["key"]}, {"X-API-Key": another_secret(key["key"])}
    for _ in range(5):
        network.refused("bad-credentials", "GET", "/api/v1/session", headers=wrong)
    network.refused("bad-credentials", "GET", "/api/v1/session", headers=mine)
    local.ok("GET", "/api/v1/session", headers=mine)
    assert desk.cli_json("key", "show", key["id"])["suspended_sources"] == 1
    desk.cli("key", "reactivate", key["id"])
    network.ok("GET", "/api/v1/session", headers=mine)
    found = desk.cli_json("audit", "search", "--type", "API_KEY_SUSPENDED")["records"]
    what, who = found[0]["what"], found[0]["who"]
    assert what["resource"] == f"key:{key['id']}" and who["source"] == "127.0.0.1", found[0]


def refusals(desk, resource):
    return desk.admin.ok("GET", f"/api/v1/audit/records?resource={resource}&limit=1000").get("records", [])


def added_up(desk, code):
    found = desk.admin.ok("GET", "/api/v1/audit/records?type=ANONYMOUS_REFUSALS&limit=1000").get("records", [])
    return sum(json.loads(r["what"]["detail"])["count"] for r in found if r["what"]["error"] == code)


@pytest.mark.parametrize("code", ["key-disabled", "forbidden"])
def test_who_holds_a_key_that_is_refused_fills_no_log(desk, code):
    """Its first refusal names it, some more do, and the rest is added up: nothing is left out."""
    made = desk.cli_json("key", "create", "noisy", "--role", "viewer", "--block-endpoint", "GET /api/v1/session")
    mine, before, counted = {"X-API-Key": made["key"]}, len(refusals(desk, f"key:{made['id']}")), added_up(desk, code)
    if code == "key-disabled":
        desk.cli("key", "revoke", made["id"], "--yes")
        before += 1
    api = desk.api()
    api.refused(code, "GET", "/api/v1/session", headers=mine)
    first = refusals(desk, f"key:{made['id']}")
    assert len(first) == before + 1, first
    for _ in range(499):
        api.refused(code, "GET", "/api/v1/session", headers=mine)
    named = len(refusals(desk, f"key:{made['id']}")) - before
    assert named < 80, "each refusal has a record of its own"
    until("the rest is added up", lambda: added_up(desk, code) - counted == 500 - named, 30)


def test_a_renewable_key_is_put_off_by_people_alone(desk):
    made = desk.cli_json("key", "create", "renewable", "--role", "viewer", "--expires", "1d", "--renewable")
    fixed = desk.cli_json("key", "create", "fixed", "--role", "viewer", "--expires", "1d")
    early = desk.cli_json("key", "create", "early", "--role", "viewer", "--expires", "9d", "--renewable")
    listed = desk.cli_json("key", "list", "--expires-within", "2d")["keys"]
    assert {made["id"], fixed["id"]} <= {k["id"] for k in listed} and early["id"] not in {k["id"] for k in listed}
    desk.cli("key", "renew", made["id"])
    desk.cli("key", "renew", fixed["id"], code=6)
    desk.cli("key", "renew", early["id"], code=6)
    assert desk.cli_json("key", "show", made["id"])["expires"][:10] > made["expires"][:10]
    desk.api().refused("forbidden", "POST", f"/api/v1/keys/{made['id']}/renew", headers={"X-API-Key": made["key"]})


def test_a_key_that_rotates_itself_ends_when_it_would_have(desk):
    """A stolen one, too: whoever has it can change its secret, and makes it last no longer."""
    made = desk.cli_json("key", "create", "own rotation", "--role", "admin", "--expires", "2d")
    other = desk.cli_json("key", "create", "another", "--role", "viewer", "--expires", "2d")
    time.sleep(1.1)  # a new life would end a second later
    mine = {"X-API-Key": made["key"]}
    fresh = desk.api().ok("POST", f"/api/v1/keys/{made['id']}/rotate", headers=mine)
    assert fresh["key"] != made["key"] and fresh["expires"] == made["expires"], fresh
    mine = {"X-API-Key": fresh["key"]}
    for_another = desk.api().ok("POST", f"/api/v1/keys/{other['id']}/rotate", headers=mine)
    assert for_another["expires"] == other["expires"], "nor by another key that manages users"
    assert desk.cli_json("key", "rotate", made["id"])["expires"] > made["expires"]


def test_a_former_secret_gets_no_next_one(desk):
    """In its grace period it works; but who stole it must not take the key over from its owner."""
    made = desk.cli_json("key", "create", "leaked", "--role", "admin", "--usage", "full_access")
    other = desk.cli_json("key", "create", "not leaked", "--role", "viewer")
    fresh = desk.cli_json("key", "rotate", made["id"], "--grace", "30s")
    thief, owner = desk.api(made["key"]), desk.api(fresh["key"])
    assert thief.ok("GET", "/api/v1/session")["key_id"] == made["id"]
    for target in (made["id"], other["id"]):
        thief.refused("forbidden", "POST", f"/api/v1/keys/{target}/rotate")
    assert owner.ok("GET", "/api/v1/session")["key_id"] == made["id"]
    # a token that is had by it ends with the grace period, one of the fresh secret does not
    assert thief.ok("POST", "/api/v1/tokens", {})["expires_in"] <= 30
    assert owner.ok("POST", "/api/v1/tokens", {})["expires_in"] > 30
    assert owner.ok("POST", f"/api/v1/keys/{made['id']}/rotate")["key"] != fresh["key"]


@pytest.mark.parametrize("step", [("rotate",), ("suspend", "reactivate")])
def test_what_was_had_by_a_key_ends_with_its_secret(desk, step):
    made = desk.cli_json("key", "create", "with tokens", "--role", "viewer", "--usage", "full_access")
    token = desk.api(made["key"]).ok("POST", "/api/v1/tokens", {})["access_token"]
    assert desk.api(token).ok("GET", "/api/v1/session")
    for name in step:
        desk.cli("key", name, made["id"])
    desk.api(token).refused("token-revoked", "GET", "/api/v1/session")


def test_a_rotation_with_grace_keeps_tokens(desk):
    made = desk.cli_json("key", "create", "with tokens", "--role", "viewer", "--usage", "full_access")
    token = desk.api(made["key"]).ok("POST", "/api/v1/tokens", {})["access_token"]
    desk.cli("key", "rotate", made["id"], "--grace", "1h")
    assert desk.api(token).ok("GET", "/api/v1/session")


def test_who_runs_no_bots_claims_no_unix_user(desk):
    """Else whoever may sign in makes the requests of any local bot his, and stops one that its group stands for."""
    desk.admin.ok("POST", "/api/v1/users", {"name": "vera", "password": PASSWORD, "roles": ["viewer"]})
    desk.admin.ok("POST", "/api/v1/users", {"name": "theo", "password": PASSWORD, "roles": ["trader", "viewer"]})
    body = {"name": "mine", "environment": "development", "usage": "read_only", "roles": ["viewer"], "unix_uid": 61234}
    desk.api(desk.login("vera")).refused("forbidden", "POST", "/api/v1/keys", body)
    made = desk.api(desk.login("theo")).ok("POST", "/api/v1/keys", body)
    said = until("its record", lambda: refusals(desk, f"key:{made['id']}"))[0]
    assert said["type"] == "API_KEY_CREATED" and said["what"]["detail"] == "mine (unix:61234)"


def test_a_key_waits_for_its_owners_second_factor(desk):
    desk.admin.ok("POST", "/api/v1/users", {"name": "una", "password": PASSWORD, "roles": ["viewer"]})
    una = desk.api(desk.login("una"))
    made = una.ok("POST", "/api/v1/keys", {"name": "careful", "environment": "production", "usage": "read_only",
                                           "roles": ["viewer"], "mfa_required": True})
    mine, unlock = {"X-API-Key": made["key"]}, f"/api/v1/keys/{made['id']}/unlock"
    desk.api().refused("key-locked", "GET", "/api/v1/session", headers=mine)
    una.refused("no-second-factor", "POST", unlock)
    secret, codes = test_mfa.set_up(una)
    assert secret
    ticket = test_mfa.ticket(desk, "una")
    una = desk.api(test_mfa.second(desk, ticket, recovery_code=codes[0]).json["token"])
    desk.admin.refused("forbidden", "POST", unlock)  # nor can anybody else do it for her
    a = una.ok("POST", unlock, {"hours": 1})
    assert a["unlocked_until"]
    desk.api().ok("GET", "/api/v1/session", headers=mine)
    una.refused("out-of-range", "POST", unlock, {"hours": 25})
    said = desk.admin.ok("GET", f"/api/v1/explain?identity=key:{made['id']}&permission=mev:view")
    assert said["allowed"], said


def usage(desk, key):
    return desk.admin.ok("GET", f"/api/v1/keys/{key['id']}/usage")


def test_usage_is_counted_and_outlives_a_kill(desk, key):
    network, local, mine = desk.api(), desk.api(unix=True), {"X-API-Key": key["key"]}
    assert usage(desk, key)["count"] == 0
    for _ in range(20):
        network.ok("GET", "/api/v1/session", headers=mine)
    for _ in range(3):
        local.ok("GET", "/api/v1/explain?permission=mev:view", headers=mine)
    before = desk.admin.ok("GET", "/api/v1/status")["log_size"]
    now = usage(desk, key)
    assert now["count"] == sum(h["count"] for h in now["hours"]) == sum(d["count"] for d in now["days"]) == 23, now
    assert [(e["endpoint"], e["count"]) for e in now["endpoints"]] == [("session", 20), ("explain", 3)], now
    assert now["last_source"].startswith("unix:") and now["average_per_day"] in (12, 23)  # 12: midnight went by
    time.sleep(1)  # what is promised
    front = desk.kill("front")
    desk.child("front", other_than=front)
    desk.serving()
    network.close(), local.close(), desk.admin.close()
    after = usage(desk, key)
    assert after == now, (now, after)
    network.ok("GET", "/api/v1/session", headers=mine)
    assert usage(desk, key)["count"] == 24
    assert desk.cli_json("key", "show", key["id"])["last_used"] >= now["last_used"]
    assert "session" in desk.cli("key", "usage", key["id"]).stdout
    # Counting writes nothing to the record, however long it goes on.
    assert desk.admin.ok("GET", "/api/v1/status")["log_size"] - before < 10


def test_usage_is_told_to_its_owner_alone(desk, key):
    desk.admin.ok("POST", "/api/v1/users", {"name": "nosy", "password": PASSWORD, "roles": ["viewer"]})
    nosy = desk.api(desk.login("nosy"))
    nosy.refused("forbidden", "GET", f"/api/v1/keys/{key['id']}/usage")
    nosy.refused("forbidden", "GET", "/api/v1/keys/0000000000000000/usage")
    desk.api().ok("GET", f"/api/v1/keys/{key['id']}/usage", headers={"X-API-Key": key["key"]})


def test_a_key_issued_elsewhere_goes_on_working(desk):
    text = "sk_prod_" + secrets.token_hex(16)
    file = desk.file("elsewhere.key", text + "\n")
    made = desk.cli_json("key", "import", "old feed", "--role", "viewer", "--key-file", file, "--allow-network", "unix")
    assert made["imported"] and "key" not in made and text not in json.dumps(made)
    local, network = desk.api(unix=True), desk.api()
    for headers in ({"X-API-Key": text}, {"Authorization": f"Bearer {text}"}):
        assert local.ok("GET", "/api/v1/session", headers=headers)["actor"] == f"key:{made['id']}"
    network.refused("forbidden", "GET", "/api/v1/session", headers={"X-API-Key": text})  # the policy of any other key
    network.refused("bad-credentials", "GET", "/api/v1/session", headers={"X-API-Key": text + "x"})
    network.refused("bad-credentials", "GET", "/api/v1/session", headers={"Authorization": f"Bearer {text}x"})
    network.refused("key-malformed", "GET", "/api/v1/session", headers={"X-API-Key": "short"})
    said = desk.admin.ok("POST", "/api/v1/keys/verify", {"key": text, "source": "unix:0", "method": "GET", "path": "/x"})
    assert said["reason"] == "VALID" and said["id"] == made["id"]
    # Only once, whoever has it and however he says it.
    desk.cli("key", "import", "again", "--role", "viewer", "--sha256", hashlib.sha256(text.encode()).hexdigest(), code=6)
    fresh = desk.cli_json("key", "rotate", made["id"], "--grace", "1h")
    assert fresh["id"] == made["id"] and fresh["key"].startswith("hfk_live_")
    for key in (text, fresh["key"]):
        local.ok("GET", "/api/v1/session", headers={"X-API-Key": key})
    desk.cli("key", "revoke", made["id"], "--yes")
    for key in (text, fresh["key"]):
        local.refused("key-disabled", "GET", "/api/v1/session", headers={"X-API-Key": key})
    found = desk.admin.ok("GET", "/api/v1/audit/records?type=API_KEY_IMPORTED")["records"]
    assert [r["what"]["resource"] for r in found] == [f"key:{made['id']}"] and text not in desk.log(2000)


def test_explain_looks_at_a_keys_limits_and_rules(desk):
    made = desk.cli_json("key", "create", "narrow", "--role", "viewer", "--per-hour", "2", "--allow-network", "127.0.0.1",
                         "--block-endpoint", "GET /api/v1/audit")

    def said(*more):
        a = desk.cli_json("explain", f"key:{made['id']}", "mev:view", *more)
        return a["rule"], a.get("not_judged", [])

    assert said() == ("granted", ["source", "endpoint"])
    assert said("--source", "127.0.0.1", "--endpoint", "GET /api/v1/session") == ("granted", [])
    assert said("--source", "unix:0", "--endpoint", "GET /api/v1/session")[0] == "key-network"
    assert said("--source", "127.0.0.1", "--endpoint", "GET /api/v1/audit/records") == ("key-endpoint", [])
    who = desk.cli_json("who-can", "mev:view", "--after", "key:", "--source", "192.0.2.1")["identities"]
    assert f"key:{made['id']}" not in {w["identity"] for w in who}
    for _ in range(2):
        desk.api().ok("GET", "/api/v1/session", headers={"X-API-Key": made["key"]})
    if desk.api().call("GET", "/api/v1/session", headers={"X-API-Key": made["key"]}).status == 429:  # else an hour began
        assert said()[0] == "key-used-up"
        asked = {"subject": {"type": "key", "id": made["id"]}, "action": {"name": "mev:view"},
                 "resource": {"type": "thing", "id": "x"}}
        assert desk.admin.ok("POST", "/access/v1/evaluation", asked)["decision"] is False


def test_the_command_line_says_whether_a_key_is_good(desk):
    made = desk.cli_json("key", "create", "looked at", "--role", "viewer", "--block-endpoint", "DELETE /api/v1/keys")
    def verdict(*more, code=0, key=made["key"]):
        return json.loads(desk.cli("key", "verify", "--key-file", "-", *more, "-o", "json", stdin=key + "\n", code=code).stdout)
    asked = ("--source", "192.0.2.7", "--endpoint", "GET /api/v1/session")
    good = verdict(*asked, "--permission", "mev:view")
    assert good["valid"] and good["reason"] == "VALID" and good["id"] == made["id"] and good["permissions"] == ["mev:view"]
    assert verdict(*asked, "--permission", "audit:view", code=4)["reason"] == "INSUFFICIENT_PERMISSIONS"
    assert verdict("--endpoint", "DELETE /api/v1/keys/1", code=4)["reason"] == "FORBIDDEN"
    assert verdict(key=another_secret(made["key"]), code=4)["reason"] == "NOT_FOUND"
    desk.cli("key", "verify", "--key-file", "-", "--endpoint", "/api/v1/keys", stdin=made["key"] + "\n", code=2)
    desk.cli("key", "revoke", made["id"], "--yes")
    assert verdict(*asked, code=4)["reason"] == "DISABLED"
    # whoever of the first ones may not, there may be some behind them
    assert "go on with --after" in desk.cli("who-can", "funds:manage", "--limit", "1").stderr
