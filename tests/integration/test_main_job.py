"""The whole promise, on real input: an administrator stores three venues' keys as sign-only; a bot with a key of its own
asks for orders to be signed and gets exactly what the venues accept; a withdrawal is refused; nobody reads a secret back;
the record shows all of it and verifies."""
import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import time

import nacl.signing
import pytest

import desk as job
import server as holdfast
import venues
from server import as_user, until
from test_roles import routes_of

VENUES = ("binance", "phemex", "hyperliquid")


@pytest.fixture(scope="module")
def trading(desk):
    venues.self_check()
    for venue in VENUES:
        job.store(desk, venue)
    desk.bot_key = job.make_key(desk, "desk-bot")
    desk.bot = desk.api(desk.bot_key["key"])
    return desk


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("unix", [False, True], ids=["tls", "unix"])
def test_an_order_is_signed_as_the_venue_wants_it(trading, venue, unix):
    bot = trading.api(trading.bot_key["key"], unix=unix)
    for _ in range(3):
        signed = bot.ok("POST", "/api/v1/sign", job.order(venue))
        assert signed["decision"] == "ok"
        assert job.accepted(venue, signed), signed
    if venue == "hyperliquid":  # the action that was asked for, not another one
        assert json.loads(signed["body"])["action"] == job.published(venue)["action"]
    else:
        assert all(part in signed["body"] for part in job.published(venue)["body"].split("&"))
    assert job.bundle_of(venue)["secret"] not in json.dumps(signed)


def test_the_command_line_signs_as_well(trading):
    request = trading.file("order.json", json.dumps(job.order("binance")))
    r = trading.cli("sign", "exchange/binance/main", "--request", request, "-o", "json",
                    env={"HOLDFAST_TOKEN": trading.bot_key["key"]})
    assert job.accepted("binance", json.loads(r.stdout))
    r = trading.cli("sign", "exchange/binance/main", "--request", request, "-o", "curl",
                    env={"HOLDFAST_TOKEN": trading.bot_key["key"]})
    assert "curl" in r.stdout and "https://api.binance.com/api/v3/order" in r.stdout
    r = trading.cli("sign", "exchange/binance/main", "--request", request, "-o", "headers",
                    env={"HOLDFAST_TOKEN": trading.bot_key["key"]})
    assert "X-MBX-APIKEY" in r.stdout


def test_nonces_rise_for_all_bots_together(trading):
    other = trading.api(job.make_key(trading, "second-bot")["key"])
    nonces = [api.ok("POST", "/api/v1/sign", job.order("hyperliquid"))["nonce"]
              for api in (trading.bot, other) * 10]
    assert nonces == sorted(set(nonces))
    trading.bot.refused("nonce-reused", "POST", "/api/v1/sign", job.order("hyperliquid", nonce=nonces[-1]))
    trading.bot.refused("nonce-reused", "POST", "/api/v1/sign",
                        job.order("hyperliquid", nonce=int(time.time() * 1000) + 3600_000))


@pytest.mark.parametrize("venue", VENUES)
def test_a_withdrawal_is_refused_and_recorded(trading, venue):
    a = trading.bot.refused("moves-funds", "POST", "/api/v1/sign", job.withdrawal(venue))
    assert a.status == 403
    record = trading.admin.ok("GET", "/api/v1/audit/records?type=SIGNING_REFUSED&limit=1")["records"][0]
    assert record["who"]["request_id"] == a.headers["x-request-id"]
    assert record["what"]["error"] == "moves-funds"
    assert "signature" not in json.dumps(record).lower()


def test_a_dry_run_says_which_rule_decides_and_signs_nothing(trading):
    before = trading.health()["log_size"]
    a = trading.bot.ok("POST", "/api/v1/sign", job.order("binance", dry_run=True))
    assert a["decision"] == "ok" and not a.get("signature") and not a.get("url")
    a = trading.bot.ok("POST", "/api/v1/sign", {**job.withdrawal("binance"), "dry_run": True})
    assert a["decision"] == "moves-funds" and a["rule"]
    assert trading.health()["log_size"] == before
    request = trading.file("withdrawal.json", json.dumps(job.withdrawal("binance")))
    r = trading.cli("credential", "test", "exchange/binance/main", "--request", request, code=4)
    assert "moves-funds" in r.stdout + r.stderr


def test_who_may_sign(trading):
    # Another key, without the credential.
    made = job.make_key(trading, "elsewhere", credential="other/*")
    trading.api(made["key"]).refused("forbidden", "POST", "/api/v1/sign", job.order("binance"))
    # The administrator holds no right to trade.
    trading.admin.refused("forbidden", "POST", "/api/v1/sign", job.order("binance"))
    trading.api().refused("unauthenticated", "POST", "/api/v1/sign", job.order("binance"))
    # What does not exist looks the same as what is not his.
    trading.bot.refused("forbidden", "POST", "/api/v1/sign", job.order("binance", credential="other/none"))


def test_a_policy_is_changed_only_with_an_approval(trading):
    job.store(trading, "binance", "exchange/binance/narrow")
    ask = job.order("binance", credential="exchange/binance/narrow")
    trading.bot.ok("POST", "/api/v1/sign", ask)
    job.change_policy(trading, "exchange/binance/narrow", {**job.BINANCE_POLICY, "symbols": ["BTCUSDT"]})
    a = trading.bot.refused("policy-refused", "POST", "/api/v1/sign", ask)
    assert "symbol" in a.json["detail"]
    # The same change again, by somebody who has the session but not the key.
    shown = trading.admin.ok("GET", "/api/v1/credentials/data/exchange/binance/narrow")
    put = {"descriptor": shown["descriptor"], "previous": shown["hash"],
           "approval": {"alg": 1, "key": "00" * 32, "signature": "00" * 64, "expiry_ms": int(time.time() * 1000) + 60000}}
    a = trading.admin.call("PUT", "/api/v1/credentials/data/exchange/binance/narrow", put)
    assert a.code in ("approval-invalid", "approval-stale", "not-administrator", "conflict"), a
    r = trading.cli("credential", "policy", "exchange/binance/narrow", "--policy", trading.file("p.json", "{}"),
                    "--key-passphrase-file", trading.file("wrong", "not the passphrase"), "--yes", code=3)
    assert "passphrase" in r.stderr
    # A contradiction is refused before anything is stored.
    r = job.change_policy(trading, "exchange/binance/narrow", {"classes": ["read"], "max_size": [{"symbol": "X", "size": "1"}]},
                          code=2)
    assert "contradictory-policy" in r.stderr and "limits for orders" in r.stderr
    trading.bot.refused("policy-refused", "POST", "/api/v1/sign", ask)


def test_freezing_needs_nothing_and_releasing_needs_an_approval(trading):
    job.store(trading, "phemex", "exchange/phemex/second")
    ask = job.order("phemex", credential="exchange/phemex/second")
    trading.bot.ok("POST", "/api/v1/sign", ask)
    trading.cli("credential", "freeze", "exchange/phemex/second", "--reason", "an odd order")
    trading.bot.refused("frozen", "POST", "/api/v1/sign", ask)
    trading.cli("credential", "release", "exchange/phemex/second", "--key-passphrase-file",
                trading.home / "key-passphrase", "--yes")
    trading.bot.ok("POST", "/api/v1/sign", ask)


def test_a_key_signs_in_its_environment_while_its_owner_may(trading):
    """A key of development signs with nothing of production, whatever it names; and a key never outlives its owner's right."""
    trading.admin.ok("POST", "/api/v1/users", {"name": "tess", "password": holdfast.PASSWORD, "roles": ["trader"],
                                               "environments": ["development", "production"]})
    tess = trading.api(trading.login("tess"))

    def key(environment):
        made = tess.ok("POST", "/api/v1/keys", {"name": "k", "environment": environment, "usage": "execute_only",
                                                "roles": ["trader"], "credentials": ["*"]})
        return trading.api(made["key"])
    ask = job.order("phemex")
    key("development").refused("forbidden", "POST", "/api/v1/sign", ask)
    production = key("production")
    production.ok("POST", "/api/v1/sign", ask)
    a = trading.admin.ok("GET", "/api/v1/audit/records?type=PERMISSION_DENIED&resource=credential:exchange/phemex/main&limit=1")
    assert a["records"][0]["who"]["actor"].startswith("key:"), a

    def grant(**change):
        trading.admin.ok("PATCH", "/api/v1/users/tess", change)
    grant(environments=["development"])
    production.refused("forbidden", "POST", "/api/v1/sign", ask)
    tess.refused("forbidden", "POST", "/api/v1/sign", ask)
    grant(environments=["production"])
    production.ok("POST", "/api/v1/sign", ask)
    tess.ok("POST", "/api/v1/sign", ask)
    grant(roles=["viewer"])
    production.refused("forbidden", "POST", "/api/v1/sign", ask)
    tess.refused("forbidden", "POST", "/api/v1/sign", ask)


def test_people_change_their_own_password(trading):
    fresh = "An0ther-desk-opens!"
    trading.admin.ok("POST", "/api/v1/users", {"name": "pam", "password": holdfast.PASSWORD, "roles": ["viewer"]})
    elsewhere = trading.api(trading.login("pam"))
    mine = {"HOLDFAST_TOKEN": trading.login("pam")}
    files = ("--password-file", trading.home / "password", "--new-password-file", trading.file("fresh", fresh))
    r = trading.cli("password", "--password-file", trading.file("wrong", "Wrong-password-1x"), *files[2:], env=mine, code=3)
    assert "bad-credentials" in r.stderr
    assert "All other sessions have ended" in trading.cli("password", *files, env=mine).stderr
    assert trading.cli_json("whoami", env=mine)["name"] == "pam"
    elsewhere.refused("unauthenticated", "GET", "/api/v1/session")
    trading.api().refused("bad-credentials", "POST", "/api/v1/login", {"name": "pam", "password": holdfast.PASSWORD})
    assert trading.login("pam", fresh)
    told = trading.admin.ok("GET", "/api/v1/audit/records?type=USER_CHANGED&actor=user:pam")["records"]
    assert [r["what"]["detail"] for r in told] == ["own password"]


def test_every_call_about_a_secret_says_why(trading):
    """On the command line by an option or a variable; the record then tells who, from where, and why."""
    value = trading.file("value", "hunter2")
    bare = {"HOLDFAST_REASON": ""}
    for words in (["put", "desk/why", "--value-file", value], ["get", "desk/why"], ["list"], ["history", "desk/why"],
                  ["rotate", "desk/why", "--value-file", value], ["revoke", "desk/why", "--yes"],
                  ["delete", "desk/why", "--version", "1", "--yes"]):
        r = trading.cli("secret", *words, env=bare, code=2)
        assert "reason-needed" in r.stderr and "--reason" in r.stderr, r.stderr
    trading.cli("secret", "put", "desk/why", "--value-file", value, "--reason", "for the new desk", env=bare)
    assert trading.cli("secret", "get", "desk/why", "--raw", env={"HOLDFAST_REASON": "log in"}).stdout == "hunter2"
    trading.admin.refused("reason-needed", "GET", "/api/v1/secrets/data/desk/why", headers={"X-Holdfast-Reason": None})
    found = trading.cli_json("audit", "search", "--resource", "secret:desk/why")["records"]
    told = {r["type"]: r["who"].get("reason") for r in reversed(found)}
    assert told["SECRET_STORED"] == "for the new desk"
    read = [r for r in found if r["type"] == "SECRET_READ"]
    assert {r["who"].get("reason") for r in read} == {"log in", None}, read
    assert all(r["who"]["actor"] == "user:admin" and r["who"]["user_agent"] for r in read if r["who"].get("reason"))


def test_an_owned_front_cannot_prevent_a_freeze(trading):
    """The operator's socket leads past it, and what it finds when it goes on is that the keeper has said no."""
    path = "exchange/phemex/third"
    job.store(trading, "phemex", path)
    ask = job.order("phemex", credential=path)
    trading.bot.ok("POST", "/api/v1/sign", ask)
    front = holdfast.children_of(trading.process.pid)["front"]
    os.kill(front, signal.SIGSTOP)
    try:
        begin = time.monotonic()
        trading.cli("operator", "freeze", path)
        assert time.monotonic() - begin < 1
    finally:
        os.kill(front, signal.SIGCONT)
    trading.bot.refused("frozen", "POST", "/api/v1/sign", ask)
    rows = {r["path"]: r for r in trading.cli_json("credential", "list")["credentials"]}
    assert rows[path]["frozen"] and not rows["exchange/phemex/main"]["frozen"]
    table = trading.cli("credential", "list").stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == sorted(rows)
    assert any(line.split()[:1] + line.split()[5:7] == [path, "yes", "no"] for line in table)
    ident = trading.admin.ok("GET", f"/api/v1/credentials/data/{path}")["id"]
    trading.cli("operator", "freeze", ident)
    r = trading.cli("operator", "freeze", "exchange/phemex/nothing", code=5)
    assert "knows no credential" in r.stderr
    until("the keeper's own record of it", lambda: trading.admin.ok(
        "GET", f"/api/v1/audit/records?type=CREDENTIAL_FROZEN&resource=credential:{path}")["records"])


def test_what_cannot_be_stored_is_said_before_anything_is_typed(trading):
    """Whoever has pasted a venue's secret should not hear after that that the venue is unknown."""
    policy = trading.file("p.json", "{}")

    def put(venue, scheme, code, path="exchange/early/main", **more):
        return trading.cli("credential", "put", path, "--venue", venue, "--scheme", scheme, "--policy", policy, code=code,
                           **more).stderr

    assert "code:  unknown-venue\n" in put("binanc", "binance-hmac", 2)
    said = put("binance", "hl-l1", 2)
    assert "code:  wrong-key-for-venue\n" in said and "binance-hmac" in said
    assert "never change" in put("phemex", "phemex", 2, path="exchange/binance/main")
    assert "--secret-file" in put("binance", "binance-hmac", 2)  # now it may be asked for
    nobody = trading.home / "nobody"
    nobody.mkdir(mode=0o700, exist_ok=True)
    for name in ("profile.json", "ca.pem", "session"):
        shutil.copy(trading.profile / name, nobody / name)
    assert "administrator's key" in put("binance", "binance-hmac", 5, profile=nobody)


@pytest.mark.parametrize("change, code", [
    ({"called": "nowhere"}, "unknown-venue"), ({"bundle": {"secret": "0x12"}}, "wrong-key-for-venue"),
    ({"scheme": "binance-hmac"}, "wrong-key-for-venue"), ({"policy": {"classes": ["everything"]}}, "bad-policy"),
    ({"policy": {"classes": ["read"], "max_notional": "5"}}, "contradictory-policy"),
    ({"policy": {"classes": ["withdraw"]}}, "contradictory-policy"), ({"policy": {"clases": []}}, "bad-policy"),
])
def test_wrong_credentials_are_refused_when_they_are_stored(trading, change, code):
    r = job.store(trading, "hyperliquid", "exchange/wrong/main", code=2, **change)
    assert f"code:  {code}\n" in r.stderr, r.stderr


def test_an_endpoint_that_no_request_can_have_is_refused_when_it_is_stored(trading):
    r = job.store(trading, "binance", "exchange/wrong/main", code=2, policy={"endpoints": ["POST /nowhere"]})
    assert "code:  contradictory-policy\n" in r.stderr and "/endpoints/0" in r.stderr, r.stderr


def test_nobody_reads_a_secret_back_over_any_route(trading):
    """Every address with every kind of caller, over the network and over the local socket: no answer holds a part of a
    venue's secret. Neither do the store's files, nor the log."""
    document = trading.api().ok("GET", "/api/v1/openapi.json")
    secrets = [job.bundle_of(v)["secret"] for v in VENUES]
    needles = [n for s in secrets for n in (s.encode(), s.encode().hex().encode(), base64.b64encode(s.encode()),
                                            s.removeprefix("0x").encode())]
    needles += [bytes.fromhex(secrets[2][2:])]
    callers = [trading.api(t, unix=u) for t in (None, trading.admin.token, trading.bot_key["key"]) for u in (False, True)]
    for method, address, operation in routes_of(document):
        if operation["operationId"] in ("logout",) or method == "DELETE":
            continue
        for venue in VENUES:
            target = address.replace("nothing-here", f"exchange/{venue}/main")
            for api in callers:
                body = {} if method != "GET" and "requestBody" in operation else None
                a = api.call(method, target, body, headers={"X-Holdfast-Reason": "curious"})
                assert not any(n in a.body for n in needles), (method, target)
            if target == address:
                break
    for venue in VENUES:  # the walk froze them
        trading.cli("credential", "release", f"exchange/{venue}/main", "--key-passphrase-file",
                    trading.home / "key-passphrase", "--yes")
    for path in [*trading.data.rglob("*"), trading.log_file]:
        if path.is_file():
            data = path.read_bytes()
            assert not any(n in data for n in needles), path


def test_a_local_bot_needs_no_secret_at_all(trading):
    """The kernel says which Unix user is at the other end of the socket."""
    uid = os.getuid() or 65534
    sign = (trading.unix_socket, "/api/v1/sign")
    assert as_user(uid, sign, job.order("binance"))[0] == 401
    made = job.make_key(trading, "local-bot", "--unix-user", str(uid))
    status, signed = as_user(uid, sign, job.order("binance"))
    assert status == 200 and job.accepted("binance", signed)
    record = trading.admin.ok("GET", f"/api/v1/audit/records?actor=unix:{uid}&type=REQUEST_SIGNED&limit=1")["records"][0]
    assert record["who"]["source"] == f"unix:{uid}"
    # A policy that names another user refuses this one; one that names him does not.
    for caller, wanted in ((uid + 1, 403), (uid, 200)):
        job.store(trading, "binance", f"exchange/binance/of-{caller}",
                  {**job.BINANCE_POLICY, "callers": [f"unix:{caller}"], "sources": [f"unix:{caller}"]})
        assert as_user(uid, sign, job.order("binance", credential=f"exchange/binance/of-{caller}"))[0] == wanted
    # Another user of the host is nobody, and without the socket there is no user at all.
    if os.getuid() == 0:
        assert as_user(uid - 1, sign, job.order("binance"))[0] == 401
    trading.api().refused("unauthenticated", "POST", "/api/v1/sign", job.order("binance"))
    # One Unix user is one bot; root can be none.
    r = trading.cli("key", "create", "again", "--role", "trader", "--unix-user", str(uid), code=6, env=job.trader(trading))
    assert "Unix user" in r.stderr
    trading.cli("key", "create", "root", "--role", "trader", "--unix-user", "0", code=2, env=job.trader(trading))
    trading.cli("key", "revoke", made["id"], "--yes")
    assert as_user(uid, sign, job.order("binance"))[0] == 401


PROVEN = ("path", "scheme", "method", "host", "request_path", "query", "body", "params", "network", "vault_address",
          "multi_sig_user", "outer_signer", "frame_id", "expires_after", "nonce", "recv_window_ms", "dry_run",
          "proof_time_ms", "proof_nonce")


def prove(key, request, when=None, nonce=None):
    """The text of src/ipc/signer_msg.h, signed by the bot."""
    r = {**request, "proof_time_ms": when or int(time.time() * 1000), "proof_nonce": nonce or os.urandom(12).hex()}
    names = {"path": "credential", "request_path": "path"}
    text = "holdfast-proof-1\n"
    for field in PROVEN:
        value = r.get(names.get(field, field), "")
        if field == "dry_run":
            value = int(bool(value))
        text += f"{field}={hashlib.sha256(str(value).encode()).hexdigest()}\n"
    return {**r, "proof": holdfast.b64(key.sign(text.encode()).signature)}


def test_a_policy_can_demand_the_bots_own_signature(trading):
    key, other = nacl.signing.SigningKey.generate(), nacl.signing.SigningKey.generate()
    bot_id = f"key:{trading.bot_key['id']}"
    policy = {**job.BINANCE_POLICY, "callers": [bot_id],
              "proof": {"required": True, "keys": [{"bot": bot_id, "key": key.verify_key.encode().hex()}]}}
    job.store(trading, "binance", "exchange/binance/proven", policy)
    ask = job.order("binance", credential="exchange/binance/proven")
    bot = trading.bot
    bot.refused("proof-needed", "POST", "/api/v1/sign", ask)

    def proven():  # just after its start the signer believes no proof: it can't know which were used before
        good = prove(key, ask)
        a = bot.call("POST", "/api/v1/sign", good)
        return (a, good) if a.status == 200 else None
    signed, good = until("a proof to be believed", proven, 30, 0.5)
    assert job.accepted("binance", signed.json)
    for bad in (good,  # once only
                prove(other, ask), prove(key, ask, when=int(time.time() * 1000) - 120_000),
                {**prove(key, ask), "body": ask["body"].replace("28.96", "99.96")}):
        bot.refused("proof-invalid", "POST", "/api/v1/sign", bad)


def test_the_record_shows_all_of_it_and_verifies(trading):
    early = trading.home / "early.txt"
    early.write_text(trading.cli("audit", "checkpoint").stdout)
    for venue in VENUES:
        trading.bot.ok("POST", "/api/v1/sign", job.order(venue))
    trading.bot.refused("moves-funds", "POST", "/api/v1/sign", job.withdrawal("binance"))
    size = trading.health()["log_size"]
    until("a checkpoint of all of it", lambda: trading.health()["checkpoint_size"] >= size)
    late = trading.home / "late.txt"
    late.write_text(trading.cli("audit", "checkpoint").stdout)
    export = trading.home / "export.jsonl"
    trading.cli("audit", "export", export)
    for against in ((), ("--against", early), ("--against", late)):
        r = trading.cli("audit", "verify", export, *against)
        assert "ecord" in r.stdout
    v = trading.cli_json("audit", "verify", export, "--against", early)
    lines = export.read_bytes().splitlines()
    assert v["records"] == len(lines) - 1 >= size
    types = [r["type"] for r in everything(trading)]
    for wanted in ("INSTALLATION_INITIALISED", "ENROLMENT_USED", "AUTHENTICATION_SUCCESS", "CREDENTIAL_STORED",
                   "CREDENTIAL_POLICY_CHANGED", "CREDENTIAL_FROZEN", "CREDENTIAL_RELEASED", "API_KEY_CREATED",
                   "REQUEST_SIGNED", "SIGNING_REFUSED", "PERMISSION_DENIED", "KEY_REVOKED"):
        assert wanted in types, wanted
    last = trading.admin.ok("GET", "/api/v1/audit/records?type=REQUEST_SIGNED&limit=3")["records"]
    assert all(r["who"]["actor"] == f"key:{trading.bot_key['id']}" for r in last)
    assert {r["what"]["resource"] for r in last} == {f"credential:exchange/{v}/main" for v in VENUES}
    # Nothing in the record gives a secret away.
    assert not any(job.bundle_of(v)["secret"].encode() in line for v in VENUES for line in lines)
    r = trading.cli("audit", "search", "--type", "SIGNING_REFUSED")
    assert "SIGNING_REFUSED" in r.stdout and "moves-funds" in r.stdout


def everything(server):
    found, before = [], 0
    while True:
        page = server.admin.ok("GET", "/api/v1/audit/records?limit=500" + (f"&before={before}" if before else ""))
        found += page["records"]
        before = page.get("next", 0)
        if not before:
            return found


def test_tls_is_1_3_only(trading):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.load_verify_locations(trading.data / "tls" / "server.crt")
    c.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", trading.port), timeout=5) as s, pytest.raises(ssl.SSLError):
        c.wrap_socket(s, server_hostname="127.0.0.1")


def test_the_certificate_that_was_pinned_is_the_one_that_is_believed(trading):
    """A client that trusts another certificate does not get as far as sending its token."""
    other = holdfast.Server().start()
    try:
        r = trading.cli("whoami", "--address", f"https://127.0.0.1:{other.port}", code=8)
        assert "stand in between" in r.stderr or "pinned" in r.stderr
    finally:
        other.remove()
