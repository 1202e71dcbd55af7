"""Access tokens over the real server: a stock client takes them, tricks are refused, and what ends, ends at once."""
import base64
import concurrent.futures
import hashlib
import hmac
import json
import subprocess
import time

import jwt
import pytest

import passkey
import server as holdfast
import test_mfa
from server import Failed


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def parts(token):
    return [json.loads(base64.urlsafe_b64decode(p + "==")) for p in token.split(".")[:2]]


def made(api, **body):
    return api.ok("POST", "/api/v1/tokens", body)


def verified(desk, token, **more):
    keys = jwt.PyJWKSet.from_dict(desk.api().ok("GET", "/.well-known/jwks.json"))
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(k for k in keys.keys if k.key_id == kid)
    issuer = parts(token)[1]["iss"]
    return jwt.decode(token, key.key, algorithms=[more.pop("alg", "ES256")], issuer=issuer, audience=more.pop("audience", issuer),
                      options={"require": ["exp", "iat", "nbf", "jti", "sub"]})


def person(desk, name, *roles):
    """A new user's session."""
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": holdfast.PASSWORD, "roles": list(roles)})
    return desk.api(desk.login(name))


def refused(desk, token, code):
    return desk.api(token).refused(code, "GET", "/api/v1/session")


def test_a_stock_client_takes_them(desk):
    got = made(desk.admin, client="stock", seconds=120)
    claims = verified(desk, got["access_token"])
    assert claims["sub"] == "user:admin" and claims["client_id"] == "stock"
    assert claims["exp"] - claims["iat"] == got["expires_in"] == 120
    assert claims["jti"] == got["id"] and claims["sid"] == got["grant"]
    assert jwt.get_unverified_header(got["access_token"])["typ"] == "at+jwt"
    me = desk.api(got["access_token"]).ok("GET", "/api/v1/session")
    assert me["actor"] == "user:admin" and me["way"] == "token" and "system:config" in me["permissions"]
    answer = desk.api().call("GET", "/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["content-type"].startswith("application/jwk-set+json")
    assert "d" not in answer.json["keys"][0]


def amr(token):
    return set(parts(token)[1].get("amr", []))


def test_a_token_says_how_its_owner_signed_in(desk):
    api = person(desk, "amy", "viewer")
    got = made(api)
    assert amr(got["access_token"]) == {"pwd"}
    again = desk.api().ok("POST", "/api/v1/tokens/refresh", {"refresh_token": got["refresh_token"]})
    assert amr(again["access_token"]) == {"pwd"}, "a refresh forgot it"
    secret, codes = test_mfa.set_up(api)
    assert secret and amr(made(api)["access_token"]) == {"pwd", "otp", "mfa"}
    signed_in = test_mfa.second(desk, test_mfa.ticket(desk, "amy"), recovery_code=codes[0]).json["token"]
    got = made(desk.api(signed_in))
    assert amr(got["access_token"]) == {"pwd", "otp", "mfa"}
    again = desk.api().ok("POST", "/api/v1/tokens/refresh", {"refresh_token": got["refresh_token"]})
    assert amr(again["access_token"]) == {"pwd", "otp", "mfa"}
    key = passkey.Passkey(desk.port)
    desk.admin.ok("POST", "/api/v1/users", {"name": "pia", "password": holdfast.PASSWORD, "roles": ["viewer"]})
    key.register(desk.api(desk.login("pia")), holdfast.PASSWORD)
    alone = amr(made(desk.api(key.login(desk.api()).json["token"]))["access_token"])
    assert alone in ({"hwk", "mfa"}, {"swk", "mfa"}), "a passkey alone is no password"


def test_life_is_capped_and_another_audience_is_not_for_us(desk):
    got = made(desk.admin, seconds=86400, audience="grafana")
    claims = verified(desk, got["access_token"], audience="grafana")
    assert claims["exp"] - claims["iat"] == 900
    refused(desk, got["access_token"], "token-invalid")


def test_a_token_makes_no_tokens(desk):
    token = desk.api(made(desk.admin)["access_token"])
    token.refused("forbidden", "POST", "/api/v1/tokens", {})
    token.refused("forbidden", "POST", "/api/v1/logout")


def test_tricks_are_refused(desk):
    token = made(desk.admin)["access_token"]
    head, claims = parts(token)
    h, p, s = token.split(".")
    jwk = desk.api().ok("GET", "/.well-known/jwks.json")["keys"][0]
    pem = jwt.PyJWK.from_dict(jwk).key.public_bytes(
        __import__("cryptography.hazmat.primitives.serialization", fromlist=["x"]).Encoding.PEM,
        __import__("cryptography.hazmat.primitives.serialization", fromlist=["x"]).PublicFormat.SubjectPublicKeyInfo)

    def mac(header, secret):
        text = f"{b64(header)}.{p}"
        return f"{text}.{b64(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"

    later = b64({**claims, "exp": claims["exp"] + 86400})
    other = b64({**claims, "sub": "user:somebody"})
    tricks = {
        "none": f"{b64({**head, 'alg': 'none'})}.{p}.",
        "None": f"{b64({**head, 'alg': 'None'})}.{p}.{s}",
        "hmac under the public key": mac({**head, "alg": "HS256"}, pem),
        "hmac under the jwk": mac({**head, "alg": "HS256"}, json.dumps(jwk).encode()),
        "hmac with nothing": mac({**head, "alg": "HS256", "kid": "/dev/null"}, b""),
        "kid as a path": f"{b64({**head, 'kid': '../../../../etc/passwd'})}.{p}.{s}",
        "kid as a query": f"{b64({**head, 'kid': chr(39) + ' UNION SELECT 1 --'})}.{p}.{s}",
        "a key of one's own": f"{b64({**head, 'jwk': jwk})}.{p}.{s}",
        "a key from elsewhere": f"{b64({**head, 'jku': 'https://evil.example/'})}.{p}.{s}",
        "crit": f"{b64({**head, 'crit': ['exp']})}.{p}.{s}",
        "typ": f"{b64({**head, 'typ': 'JWT'})}.{p}.{s}",
        "longer": f"{h}.{later}.{s}",
        "another's": f"{h}.{other}.{s}",
        "no signature": f"{h}.{p}.",
        "two parts": f"{h}.{p}",
        "four parts": f"{token}.{s}",
        "five parts": f"{h}.{p}.{s}.{s}.{s}",
        "padded": f"{token}==",
        "padded inside": f"{h}=.{p}.{s}",
        "plain base64": f"{h}.{p}.{s.replace('-', '+').replace('_', '/')}" if set(s) & set("-_") else f"{h}.{p}.+{s[1:]}",
        "empty parts": "eyJ..",
        "not JSON": f"eyJ{'A' * 40}.{p}.{s}",
        "very long": "eyJ" + "A" * 8000,
    }
    for name, trick in tricks.items():
        answer = desk.api(trick).call("GET", "/api/v1/session")
        assert answer.status == 401 and answer.code == "token-invalid", (name, answer)
    assert desk.api(token).call("GET", "/api/v1/session").status == 200


def test_a_key_gets_a_token_of_its_own_rights(desk):
    key = desk.admin.ok("POST", "/api/v1/keys", {"name": "bot", "roles": ["viewer"], "environment": "development", "usage": "read_only"})
    api = desk.api(key["key"])
    api.refused("forbidden", "POST", "/api/v1/tokens", {})  # a key that only reads makes nothing
    key = desk.admin.ok("POST", "/api/v1/keys", {"name": "bot", "roles": ["viewer"], "environment": "development", "usage": "full_access"})
    got = made(desk.api(key["key"]))
    assert "refresh_token" not in got and "grant" not in got
    bot = desk.api(got["access_token"])
    me = bot.ok("GET", "/api/v1/session")
    assert me["key_id"] == key["id"] and me["permissions"] == ["mev:view"]
    bot.refused("forbidden", "GET", "/api/v1/users")
    desk.admin.ok("POST", f"/api/v1/keys/{key['id']}/suspend")
    refused(desk, got["access_token"], "token-revoked")
    desk.admin.ok("POST", f"/api/v1/keys/{key['id']}/reactivate")
    refused(desk, got["access_token"], "token-revoked")  # what was had before the suspension stays ended
    got = made(desk.api(key["key"]))
    assert desk.api(got["access_token"]).ok("GET", "/api/v1/session")
    desk.admin.ok("POST", "/api/v1/tokens/revoke", {"key": key["id"]})
    refused(desk, got["access_token"], "token-revoked")


def test_refresh_rotates_and_a_replay_ends_all(desk):
    first = made(person(desk, "replay", "viewer"), client="app")
    second = desk.api().ok("POST", "/api/v1/tokens/refresh", {"refresh_token": first["refresh_token"]})
    assert second["grant"] == first["grant"] and second["refresh_token"] != first["refresh_token"]
    claims = verified(desk, second["access_token"])
    assert claims["sub"] == "user:replay" and claims["client_id"] == "app" and claims["auth_time"]
    assert desk.api(first["access_token"]).ok("GET", "/api/v1/session")
    desk.api().refused("token-reused", "POST", "/api/v1/tokens/refresh", {"refresh_token": first["refresh_token"]})
    for token in first["access_token"], second["access_token"]:
        refused(desk, token, "token-revoked")
    desk.api().refused("token-revoked", "POST", "/api/v1/tokens/refresh", {"refresh_token": second["refresh_token"]})
    found = desk.admin.ok("GET", "/api/v1/audit/records?type=TOKEN_REUSED")["records"]
    assert found[0]["what"]["resource"] == f"grant:{first['grant']}" and found[0]["severity"] == "high"


def test_what_was_never_issued_ends_nothing(desk):
    got = made(person(desk, "forged", "viewer"))
    raw = bytearray(base64.urlsafe_b64decode(got["refresh_token"][4:] + "=="))
    raw[30] ^= 1
    forged = "hfr_" + b64(bytes(raw))
    desk.api().refused("token-invalid", "POST", "/api/v1/tokens/refresh", {"refresh_token": forged})
    desk.api().refused("token-invalid", "POST", "/api/v1/tokens/refresh", {"refresh_token": "hfr_x"})
    assert desk.api(got["access_token"]).ok("GET", "/api/v1/session")


def test_of_many_at_once_one_refresh_wins_and_then_all_is_over(desk):
    got = made(person(desk, "racer", "viewer"))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.api().call("POST", "/api/v1/tokens/refresh",
                                                          {"refresh_token": got["refresh_token"]}), range(8)))
    good = [a for a in answers if a.status == 200]
    assert len(good) == 1, answers
    # Whoever lost too often in a row is told to come again, and is judged then.
    assert {a.code for a in answers if a.status != 200} <= {"token-reused", "token-revoked", "busy"}
    again = desk.api().call("POST", "/api/v1/tokens/refresh", {"refresh_token": got["refresh_token"]})
    assert again.code in ("token-reused", "token-revoked"), again
    refused(desk, good[0].json["access_token"], "token-revoked")


def test_roles_and_disabling_act_on_the_next_request(desk):
    token = desk.api(made(person(desk, "changing", "system_admin"))["access_token"])
    assert token.ok("GET", "/api/v1/users")
    desk.admin.ok("PATCH", "/api/v1/users/changing", {"roles": ["viewer"]})
    token.refused("forbidden", "GET", "/api/v1/users")
    desk.admin.ok("PATCH", "/api/v1/users/changing", {"state": "disabled"})
    token.refused("token-revoked", "GET", "/api/v1/session")
    desk.admin.ok("PATCH", "/api/v1/users/changing", {"state": "active"})
    token.refused("token-revoked", "GET", "/api/v1/session")  # disabling ended it for good


def test_signing_out_ends_what_came_from_the_session(desk):
    session = person(desk, "leaving", "viewer")
    other = desk.api(desk.login("leaving"))
    mine, others = made(session), made(other)
    session.ok("POST", "/api/v1/logout")
    refused(desk, mine["access_token"], "token-revoked")
    desk.api().refused("token-revoked", "POST", "/api/v1/tokens/refresh", {"refresh_token": mine["refresh_token"]})
    assert desk.api(others["access_token"]).ok("GET", "/api/v1/session")


def test_who_may_end_what(desk):
    alice, mallory = person(desk, "alice.t", "viewer"), person(desk, "mallory.t", "viewer")
    token, second = made(alice), made(alice)
    for body in ({"user": "alice.t"}, {"grant": token["grant"]}, {"id": token["id"]}, {"issued_since": "2020-01-01T00:00:00Z"}):
        mallory.refused("forbidden", "POST", "/api/v1/tokens/revoke", body)
    mallory.refused("forbidden", "GET", "/api/v1/tokens?user=alice.t")
    mallory.refused("forbidden", "GET", "/api/v1/tokens?all=true")
    mallory.refused("bad-value", "POST", "/api/v1/tokens/revoke", {"user": "mallory.t", "id": token["id"]})
    assert {g["grant"] for g in alice.ok("GET", "/api/v1/tokens")["tokens"]} == {token["grant"], second["grant"]}
    assert desk.api(token["access_token"]).ok("GET", "/api/v1/session")
    alice.ok("POST", "/api/v1/tokens/revoke", {"grant": token["grant"]})
    refused(desk, token["access_token"], "token-revoked")
    bare = desk.api(second["access_token"])
    bare.ok("POST", "/api/v1/tokens/revoke", {"token": second["access_token"]})
    refused(desk, second["access_token"], "token-revoked")
    desk.api().refused("token-revoked", "POST", "/api/v1/tokens/refresh", {"refresh_token": second["refresh_token"]})
    third = made(alice)
    desk.admin.ok("POST", "/api/v1/tokens/revoke", {"id": third["id"]})
    refused(desk, third["access_token"], "token-revoked")
    fourth = made(alice)
    desk.admin.ok("POST", "/api/v1/tokens/revoke", {"user": "alice.t"})
    refused(desk, fourth["access_token"], "token-revoked")
    fifth = made(alice)  # a new one is good
    assert desk.api(fifth["access_token"]).ok("GET", "/api/v1/session")
    assert alice.ok("GET", "/api/v1/tokens")["tokens"][-1]["grant"] == fifth["grant"]


def test_an_end_is_seen_by_every_thread_once_it_is_answered(desk):
    """Many connections are spread over the threads; each knew the token before."""
    session = person(desk, "threads", "viewer")
    for _ in range(10):
        got = made(session)
        clients = [desk.api(got["access_token"]) for _ in range(8)]
        for c in clients:
            assert c.ok("GET", "/api/v1/session")
        desk.admin.ok("POST", "/api/v1/tokens/revoke", {"id": got["id"]})
        for c in clients:
            c.refused("token-revoked", "GET", "/api/v1/session")


def test_the_keeper_recorded_each(desk):
    got = made(desk.admin)

    def found():
        return desk.admin.ok("GET", f"/api/v1/audit/records?resource=token:{got['id']}").get("records")

    record = holdfast.until("the record is indexed", found)[0]
    assert record["type"] == "TOKEN_ISSUED" and record["author"] == "keeper"
    assert "for user:admin until " in record["what"]["detail"]
    kid = jwt.get_unverified_header(got["access_token"])["kid"]
    assert kid in record["what"]["detail"]


def test_a_new_key_overlaps_and_a_dropped_one_does_not(desk):
    old = made(desk.admin)["access_token"]
    shown = desk.cli_json("operator", "tokens", "rotate")["keys"]
    assert len(shown) >= 2

    def current():
        return desk.api().ok("GET", "/.well-known/jwks.json")["keys"][0]["kid"] == shown[-1]["kid"]

    holdfast.until("the new key is published", current)
    new = made(desk.admin)["access_token"]
    assert jwt.get_unverified_header(new)["kid"] != jwt.get_unverified_header(old)["kid"]
    for token in old, new:
        verified(desk, token)
        assert desk.api(token).ok("GET", "/api/v1/session")
    desk.cli("operator", "tokens", "rotate", "--drop")
    holdfast.until("the dropped keys are gone",
                   lambda: desk.api(old).call("GET", "/api/v1/session").code == "token-invalid")
    refused(desk, new, "token-invalid")
    assert len(desk.api().ok("GET", "/.well-known/jwks.json")["keys"]) == 1


@pytest.mark.parametrize("alg", ["EdDSA", "RS256"])
def test_other_algorithms(new_server, alg):
    s = new_server(config={"tokens": {"alg": alg, "max_seconds": 60}})
    s.start()
    s.init()
    s.serving()
    s.enrol()
    got = made(s.api(s.login()))
    assert verified(s, got["access_token"], alg=alg)["exp"] - time.time() <= 60
    assert s.api(got["access_token"]).ok("GET", "/api/v1/session")


def test_ends_outlive_a_restart(new_server):
    s = new_server()
    s.start()
    s.init()
    s.serving()
    s.enrol()
    admin = s.api(s.login())
    kept, ended, by_id = made(admin), made(admin), made(admin)
    admin.ok("POST", "/api/v1/tokens/revoke", {"grant": ended["grant"]})
    admin.ok("POST", "/api/v1/tokens/revoke", {"id": by_id["id"]})
    s.stop()
    s.start()
    s.unseal()
    s.serving()
    assert s.api(kept["access_token"]).ok("GET", "/api/v1/session")
    refused(s, ended["access_token"], "token-revoked")
    refused(s, by_id["access_token"], "token-revoked")
    after = s.api().ok("POST", "/api/v1/tokens/refresh", {"refresh_token": kept["refresh_token"]})
    assert s.api(after["access_token"]).ok("GET", "/api/v1/session")
    s.api(s.login()).ok("POST", "/api/v1/tokens/revoke", {"issued_since": "2020-01-01T00:00:00Z"})
    s.kill("front")
    s.serving()
    refused(s, after["access_token"], "token-revoked")
    s.api().refused("token-revoked", "POST", "/api/v1/tokens/refresh", {"refresh_token": after["refresh_token"]})


def test_who_enrols_anew_shakes_off_who_had_his_tokens(new_server, tmp_path):
    """An administrator whose account somebody else has used is helped on the host: then nobody else is he any more."""
    s = new_server(config={"mfa": {"required_roles": "[none]"}}).start()
    s.init()
    s.serving()
    s.enrol()
    stolen = made(s.api(s.login()))
    again = s.cli_json("operator", "admin", "recover", "admin", "--replace-all", "--passphrase-file", s.home / "passphrase",
                       "--key-passphrase-file", s.home / "key-passphrase", "--yes", profile=tmp_path / "other")
    enrolled = s.api().ok("POST", "/api/v1/enrol", {"name": "admin", "token": again["enrolment_token"],
                                                    "password": "Another-desk-0pen!"})
    assert s.api(enrolled["token"]).ok("GET", "/api/v1/session")["name"] == "admin"
    s.api().refused("token-revoked", "POST", "/api/v1/tokens/refresh", {"refresh_token": stolen["refresh_token"]})
    refused(s, stolen["access_token"], "token-revoked")


def test_expiry_is_to_the_second(new_server):
    s = new_server(config={"tokens": {"max_seconds": 10}})
    s.start()
    s.init()
    s.serving()
    s.enrol()
    api = s.api(s.login())
    got = made(api, seconds=2)
    token = s.api(got["access_token"])
    assert token.ok("GET", "/api/v1/session")
    time.sleep(max(0, parts(got["access_token"])[1]["exp"] - time.time()) + 0.01)
    token.refused("token-expired", "GET", "/api/v1/session")


def test_grants_leave_the_store_when_they_are_over(new_server):
    """Also those of people who never come back: with enough of them no request could have looked at all."""
    clock = holdfast.Clock()
    s = new_server(clock=clock).begin()
    for n in range(3):
        made(s.api(s.login()), client=f"left behind {n}")
    clock.shift("front", 9 * 3600_000)

    def over():
        return s.api(s.login()).ok("GET", "/api/v1/audit/records?type=TOKEN_GRANTS_OVER").get("records")

    record = holdfast.until("grants that are over leave", over, seconds=20, every=1)[0]
    assert record["what"]["resource"] == "grants" and record["what"]["detail"] == "over: 3"


def test_many_sign_out_at_once_also_when_much_was_revoked_before(new_server):
    """What was revoked and is over is taken out of the store; that must not come in the way of who ends something now."""
    clock = holdfast.Clock()
    s = new_server(clock=clock, config={"mfa": {"required_roles": "[none]"}, "sessions": {"per_user": 100}}).start()
    s.init()
    s.serving()
    s.enrol()
    for _ in range(40):
        s.api(s.login()).ok("POST", "/api/v1/logout")
    s.stop()
    clock.shift("front", 3 * 86400_000)  # while nothing ran: so it is all there when the next ones come
    s.start()
    s.unseal()
    s.serving()
    apis = [s.api(s.login()) for _ in range(40)]
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda api: api.call("POST", "/api/v1/logout"), apis))
    assert {a.status for a in answers} == {204}, answers

    def over():
        found = s.api(s.login()).ok("GET", "/api/v1/audit/records?type=TOKEN_GRANTS_OVER").get("records", [])
        return [r for r in found if r["what"]["resource"] == "revocations"]

    assert holdfast.until("they leave the store", over, seconds=70, every=2)[0]["what"]["detail"] == "over: 40"


def test_a_list_goes_on_where_the_page_before_ended(desk):
    api = person(desk, "pager", "viewer")
    all_of_them = [made(api, client=f"page {n}")["grant"] for n in range(5)]
    seen, after = [], ""
    while True:
        page = api.ok("GET", f"/api/v1/tokens?limit=2{after}")
        seen += [g["grant"] for g in page["tokens"]]
        if "next" not in page:
            break
        after = "&after=" + page["next"]
    assert sorted(seen) == sorted(all_of_them) and len(seen) == 5
    api.refused("bad-value", "GET", "/api/v1/tokens?after=zz")


def limited(new_server, **tokens):
    s = new_server(config={"front_threads": 1, "tokens": tokens})
    s.start()
    s.init()
    s.serving()
    s.enrol()
    s.admin = s.api(s.login())
    return s


def test_a_flood_is_cut_off(new_server):
    """However many ask, the keeper signs no more than its budget."""
    s = limited(new_server, per_minute=60, burst=12)
    people = [person(s, f"flood{n}", "viewer") for n in range(5)]
    began = time.monotonic()
    answers = [api.call("POST", "/api/v1/tokens", {}) for api in people for _ in range(5)]
    most = 12 + 1 + int(time.monotonic() - began)
    assert 12 <= sum(a.status == 201 for a in answers) <= most
    share = answers[0].headers  # a tenth of the minute's, and five at once, since a fifth of the burst would be less
    assert share["ratelimit-policy"] == '"tokens";q=6;w=60' and share["ratelimit"].startswith('"tokens";r=4;t=')
    busy = [a for a in answers if a.code == "busy"]
    assert busy and busy[0].headers["retry-after"]


def test_a_greedy_user_leaves_tokens_for_others(new_server):
    """One program in a loop is told to wait; everybody else still gets tokens at once, and the log is not filled."""
    s = limited(new_server, per_minute=600, burst=40, per_subject_per_minute=10)  # 8 at once, then one each 6 seconds
    greedy, other = person(s, "greedy", "system_admin", "viewer"), person(s, "other", "viewer")
    key = greedy.ok("POST", "/api/v1/keys", {"name": "bot", "roles": ["viewer"], "environment": "development", "usage": "full_access"})
    began = time.monotonic()
    first = greedy.call("POST", "/api/v1/tokens", {})
    assert first.status == 201 and first.headers["ratelimit-policy"] == '"tokens";q=10;w=60', first.headers
    assert first.headers["ratelimit"].startswith('"tokens";r=7;t='), first.headers
    answers = [greedy.call("POST", "/api/v1/tokens", {}) for _ in range(60)]
    good = 1 + sum(a.status == 201 for a in answers)
    assert 8 <= good <= 8 + 1 + (time.monotonic() - began) / 6
    refusals = [a for a in answers if a.status == 429]
    assert good + len(refusals) == 61 and {a.code for a in refusals} == {"too-many-requests"}
    assert 1 <= int(refusals[-1].headers["retry-after"]) <= 6
    assert refusals[-1].headers["ratelimit"].startswith('"tokens";r=0;t=')
    again = {"refresh_token": first.json["refresh_token"]}
    refused_refresh = s.api().call("POST", "/api/v1/tokens/refresh", again)
    assert made(other)["access_token"] and made(s.api(key["key"]))["access_token"]
    s.api().ok("POST", "/api/v1/tokens/refresh", {"refresh_token": made(other)["refresh_token"]})
    assert refused_refresh.status == 429 and refused_refresh.code == "too-many-requests"
    assert 'tokens";r=0' in refused_refresh.headers["ratelimit"], "a refresh counts as well"
    time.sleep(int(refused_refresh.headers["retry-after"]))
    assert s.api().ok("POST", "/api/v1/tokens/refresh", again)["access_token"], "a refusal used the refresh token up"
    found = s.admin.ok("GET", "/api/v1/audit/records?type=RATE_LIMIT_EXCEEDED")["records"]
    assert 1 <= len(found) <= 2  # another five minutes may have begun
    assert {(r["who"]["actor"], r["what"]["resource"]) for r in found} == {("user:greedy", "user:greedy")}


def test_the_command_line(desk):
    got = desk.cli_json("token", "create", "--client", "shell", "--life", "1m")
    assert got["expires_in"] == 60
    listed = desk.cli_json("token", "list")["tokens"]
    assert got["grant"] in [g["grant"] for g in listed]
    assert json.loads(desk.cli("token", "jwks").stdout)["keys"]
    fresh = json.loads(desk.cli("token", "refresh", "--refresh-file", "-", "-o", "json", stdin=got["refresh_token"] + "\n").stdout)
    assert fresh["grant"] == got["grant"] and fresh["refresh_token"] != got["refresh_token"]
    assert desk.api(fresh["access_token"]).ok("GET", "/api/v1/session")["actor"] == "user:admin"
    desk.cli("token", "refresh", "--refresh-file", "-", stdin="hfr_nothing\n", code=3)
    desk.cli("token", "revoke", "--ended-file", "-", stdin=got["access_token"] + "\n")
    refused(desk, got["access_token"], "token-revoked")
    got = desk.cli_json("token", "create")
    desk.cli("token", "revoke", "--issued-since", "1h", "--yes")
    refused(desk, got["access_token"], "token-revoked")
