"""Whatever is wrong with a request has its own stable code, from the catalogue, in a problem document."""
import json
import re

import pytest

import server as holdfast
from test_roles import routes_of

CATALOGUE = set(re.findall(r"^\| `([a-z0-9-]+)` \|", (holdfast.SOURCE / "docs" / "errors.md").read_text(), re.M))


@pytest.fixture(scope="module")
def document(desk):
    return desk.api().ok("GET", "/api/v1/openapi.json")


@pytest.fixture(scope="module", autouse=True)
def catalogue():
    assert len(CATALOGUE) > 60


# --- nobody in particular


def test_without_credentials_no_route_answers(desk, document):
    api = desk.api()
    unix = desk.api(unix=True)
    for method, address, operation in routes_of(document):
        if operation["x-permission"] == "public":
            continue
        for a in (api.call(method, address), unix.call(method, address)):
            assert (a.status, a.code) == (401, "unauthenticated"), (method, address, a)
            assert a.headers["content-type"] == "application/problem+json"
            assert a.json["requestId"] == a.headers["x-request-id"]
            assert a.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("header, value, status, code", [
    ("Authorization", "Bearer nonsense", 401, None),
    ("Authorization", "Basic bm9ib2R5OmFkbWlu", 401, "bad-credentials"),
    ("Authorization", "Bearer hfk_live_short", 401, "key-malformed"),
    ("Authorization", "Bearer hfk_live_0123456789abcdef_" + 49 * "A", 401, "key-malformed"),
    ("X-API-Key", "hfk_live_0123456789abcdef_" + 49 * "A", 401, "key-malformed"),
    ("Authorization", "Bearer hfs_" + 43 * "A", 401, None),
    ("Authorization", "Bearer", 401, None),
])
def test_wrong_credentials(desk, document, header, value, status, code):
    api = desk.api()
    for method, address, operation in routes_of(document):
        if operation["x-permission"] == "public":
            continue
        a = api.call(method, address, headers={header: value})
        assert a.status == status and a.code in CATALOGUE, (method, address, a)
        if code:
            assert a.code == code, (method, address, a)


def test_two_credentials_at_once_are_ambiguous(desk):
    h = {"Authorization": f"Bearer {desk.admin.token}", "X-API-Key": "hfk_live_short"}
    desk.api().refused("bad-request", "GET", "/api/v1/session", headers=h)


# --- bodies

NEW = {"path": "desk/x", "kind": "password", "environment": "development", "value": "v"}


def new(**more):
    return json.dumps({**NEW, **more}).encode()


@pytest.mark.parametrize("raw, code, pointer", [
    (b"{", "bad-json", None),
    (b"", "bad-json", None),
    (b"[]", "wrong-type", None),
    (b"null", "wrong-type", None),
    (b'{"path":"a","path":"b"}', "duplicate-field", None),
    (new() + b"x", "bad-json", None),
    (new(pathh="x"), "unknown-field", "/pathh"),
    (new(path=7), "wrong-type", "/path"),
    (new(tags="x"), "wrong-type", "/tags"),
    (new(tags=[1]), "wrong-type", "/tags/0"),
    (new(rotation_days="1"), "wrong-type", "/rotation_days"),
    (new(rotation_days=-1), "out-of-range", "/rotation_days"),
    (new(rotation_days=10**15), "out-of-range", "/rotation_days"),
    (new(rotation_days=10**30), "bad-json", None),
    (new(rotation_days=1.5), "wrong-type", "/rotation_days"),
    (new(kind="banana"), "bad-value", "/kind"),
    (new(environment="moon"), "bad-value", "/environment"),
    (new(path="/desk"), "bad-value", "/path"),
    (new(path="desk//x"), "bad-value", "/path"),
    (new(path="desk/../x"), "bad-value", "/path"),
    (new(path="desk/\u00e4"), "bad-value", "/path"),
    (new(path="a/" * 12 + "a"), "bad-value", "/path"),
    (new(path="x" * 600), "too-long", "/path"),
    (new(value="x" * 70000), "too-long", "/value"),
    (new(value_base64="eA=="), "bad-value", "/value_base64"),
    (new(value=""), "missing-field", "/value"),
    (new(value_base64="***", value=""), "malformed", "/value_base64"),
    (b'{"path":"desk/x","kind":"password"}', "missing-field", "/environment"),
    (new(value="a\x00b"), "nul-byte", None),
    (new(path="desk/\x00"), "nul-byte", None),
    (b'{"path":"desk/\xff","kind":"password","environment":"development","value":"v"}', "bad-utf8", None),
    (b'{"path":"desk/\\ud800","kind":"password","environment":"development","value":"v"}', "bad-utf8", None),
    (b"[" * 5000, "bad-json", None),
    (b'{"a":' * 5000, "bad-json", None),
])
def test_what_is_wrong_with_a_body(desk, raw, code, pointer):
    a = desk.api(desk.admin.token).call("POST", "/api/v1/secrets", raw=raw)
    assert a.code == code and a.status == 400, a
    assert a.code in CATALOGUE and a.json["title"]
    if pointer:
        assert a.json.get("pointer") == pointer, a


def test_no_entity_takes_nonsense(desk, document):
    """Every body of every address: not JSON, no object, a field that nobody knows."""
    api = desk.api(desk.login())
    made = api.ok("POST", "/api/v1/keys", {"name": "n", "environment": "development", "roles": ["viewer"], "usage": "read_only"})
    for method, address, operation in routes_of(document):
        address = address.replace("0123456789abcdef", made["id"])
        if "requestBody" not in operation or operation["operationId"] in ("logout", "guard-verdict-post"):  # take any
            continue
        for raw, codes in ((b"{", {"bad-json"}), (b"[1]", {"wrong-type"}), (b'{"zzz":1}', {"unknown-field"}),
                           (b"\xff\xfe", {"bad-json", "bad-utf8"}), (b'{"a\x00":1}', {"bad-json", "nul-byte"})):
            if address.startswith("/access/"):  # AuthZEN lets a question say more than we look at
                codes = codes | {"missing-field"}
            a = api.call(method, address, raw=raw)
            if operation["x-permission"] in ("mev:execute", "orders:place", "positions:manage") and a.status == 403:
                continue
            assert a.code in codes, (method, address, raw, a)
        a = api.call(method, address, raw=b"{}", headers={"Content-Type": "text/plain"})
        assert a.code in ("unsupported-media-type", "forbidden"), (method, address, a)


def test_a_body_that_is_too_large(desk):
    a = desk.api(desk.admin.token).call("POST", "/api/v1/secrets", raw=b" " * 600000)
    assert (a.status, a.code) == (413, "body-too-large")


@pytest.mark.parametrize("path, code", [
    ("/api/v1/secrets?prefix=%00", "bad-request"), ("/api/v1/secrets?limit=many", "wrong-type"),
    ("/api/v1/secrets?limit=100000", "out-of-range"), ("/api/v1/secrets?limit=1&limit=2", "duplicate-field"),
    ("/api/v1/secrets?nonsense=1", "unknown-field"), ("/api/v1/secrets?after=zz", "bad-value"),
    ("/api/v1/secrets/data/desk/%ff", "bad-request"), ("/api/v1/nowhere", "no-route"),
    ("/api/v1/audit/records?type=NOTHING", "bad-value"), ("/api/v1/audit/records?from=yesterday", "malformed"),
    ("/api/v1/audit/records/99999999", "not-found"), ("/api/v1/audit/records/x", None),
])
def test_what_is_wrong_with_an_address(desk, path, code):
    a = desk.api(desk.admin.token).call("GET", path)
    assert a.status in (400, 404) and a.code in CATALOGUE, a
    if code:
        assert a.code == code, a


def test_a_method_that_is_not_taken(desk):
    a = desk.admin.refused("method-not-allowed", "DELETE", "/api/v1/secrets")
    assert a.status == 405 and "POST" in a.headers["allow"]


# --- people and keys


def test_a_wrong_password_and_an_unknown_user_look_the_same(desk):
    desk.admin.call("POST", "/api/v1/users", {"name": "bob", "password": holdfast.PASSWORD, "roles": ["viewer"]})
    api = desk.api()
    a = api.refused("bad-credentials", "POST", "/api/v1/login", {"name": "bob", "password": "Wrong-password-1"})
    b = api.refused("bad-credentials", "POST", "/api/v1/login", {"name": "nobody", "password": "Wrong-password-1"})
    assert {**a.json, "requestId": 0} == {**b.json, "requestId": 0}
    for _ in range(5):
        api.call("POST", "/api/v1/login", {"name": "bob", "password": "Wrong-password-1"})
    api.refused("bad-credentials", "POST", "/api/v1/login", {"name": "bob", "password": holdfast.PASSWORD})


@pytest.mark.parametrize("password", ["short-A1", "alllowercase-1234", "Password1234!", "carol-Carol-1!"])
def test_weak_passwords(desk, password):
    desk.admin.refused("weak-password", "POST", "/api/v1/users",
                       {"name": "carol", "password": password, "roles": ["viewer"]})


@pytest.mark.parametrize("change, code", [
    ({"name": "Bad Name"}, "bad-value"), ({"roles": ["king"]}, "bad-value"), ({"name": ""}, "too-short"),
    ({"email": "x" * 300}, "too-long"),
])
def test_what_is_wrong_with_a_user(desk, change, code):
    body = {"name": "dora", "password": holdfast.PASSWORD, "roles": ["viewer"], **change}
    desk.admin.refused(code, "POST", "/api/v1/users", body)


def test_an_enrolment_token_is_good_once(desk):
    body = {"name": "admin", "password": holdfast.PASSWORD, "token": desk.made["enrolment_token"]}
    desk.api().refused("enrolment-invalid", "POST", "/api/v1/enrol", body)
    desk.api().refused("enrolment-invalid", "POST", "/api/v1/enrol", {**body, "token": "0" * 40})


def test_a_session_that_was_ended(desk):
    token = desk.login()
    api = desk.api(token)
    api.ok("POST", "/api/v1/logout")
    a = api.call("GET", "/api/v1/session")
    assert a.status == 401 and a.code in ("unauthenticated", "token-expired"), a


def test_a_session_and_a_key_that_expired(new_server):
    clock = holdfast.Clock()
    s = new_server(clock=clock).begin()
    made = s.admin.ok("POST", "/api/v1/keys", {"name": "k", "environment": "development", "roles": ["viewer"],
                                               "usage": "read_only"})
    clock.shift("front", 31 * 60_000)  # not used for so long
    s.admin.refused("token-expired", "GET", "/api/v1/session")
    s.admin = s.api(s.login())
    clock.shift("front", 9 * 3600_000)
    s.admin.refused("token-expired", "GET", "/api/v1/session")
    assert s.api(made["key"]).ok("GET", "/api/v1/session")
    clock.shift("front", 91 * 86400_000)
    s.api(made["key"]).refused("key-expired", "GET", "/api/v1/session")
    s.api(made["key"][:-8] + "xx" + made["key"][-6:]).refused("key-malformed", "GET", "/api/v1/session")


def test_a_key_that_is_suspended_revoked_or_mistyped(desk):
    made = desk.admin.ok("POST", "/api/v1/keys", {"name": "k", "environment": "development", "roles": ["viewer"],
                                                 "usage": "read_only"})
    key, ident = made["key"], made["id"]
    api = desk.api(key)
    assert api.ok("GET", "/api/v1/session")
    desk.admin.ok("POST", f"/api/v1/keys/{ident}/suspend")
    api.refused("key-disabled", "GET", "/api/v1/session")
    desk.admin.ok("POST", f"/api/v1/keys/{ident}/reactivate")
    assert api.ok("GET", "/api/v1/session")
    other = "B" if key[-8] == "A" else "A"
    desk.api(key[:-8] + other + key[-7:]).refused("key-malformed", "GET", "/api/v1/session")
    desk.admin.ok("DELETE", f"/api/v1/keys/{ident}")
    api.refused("key-disabled", "GET", "/api/v1/session")
    desk.admin.refused("revoked", "POST", f"/api/v1/keys/{ident}/reactivate")


# --- unsealing


def test_shares(new_server):
    s = new_server().start()
    made = s.init(shares=3, threshold=2)
    s.serving()
    s.cli("operator", "seal", "--yes")
    one, two = (s.file(f"share{i}", made["shares"][i]) for i in range(2))
    s.cli("operator", "unseal", "--share-file", one)
    r = s.cli("operator", "unseal", "--share-file", one, code=2)
    assert "given already" in r.stderr and "code:  share-twice\n" in r.stderr
    other = new_server().start()
    foreign = s.file("foreign", other.init(shares=3, threshold=2)["shares"][0])
    r = s.cli("operator", "unseal", "--share-file", foreign, code=4)
    assert "start again" in r.stderr and "code:  wrong-share\n" in r.stderr
    r = s.cli("operator", "unseal", "--share-file", s.file("torn", made["shares"][1][:-3]), code=2)
    assert "typing errors" in r.stderr and "code:  damaged-share\n" in r.stderr
    for share in (two, one):
        s.cli("operator", "unseal", "--share-file", share)
    s.serving()
    r = s.cli("operator", "unseal", "--share-file", two, code=6)
    assert "unsealed already" in r.stderr


def test_a_wrong_passphrase_leaves_it_sealed(new_server):
    s = new_server().start()
    s.init()
    s.cli("operator", "seal", "--yes")
    r = s.cli("operator", "unseal", "--passphrase-file", s.file("wrong", "not the passphrase"), code=4)
    assert "code:  wrong-passphrase\n" in r.stderr
    s.cli("operator", "status", code=7)
    s.unseal()
    s.serving()


def test_while_it_is_not_initialised_everything_says_so(new_server):
    s = new_server().start()
    s.api().refused("not-initialised", "POST", "/api/v1/login", {"name": "admin", "password": "x"})
    s.api().refused("not-initialised", "GET", "/api/v1/session", headers={"X-API-Key": "hfk_live_short"})
    s.cli("operator", "unseal", "--passphrase-file", s.home / "passphrase", code=7)
    assert s.api().ok("GET", "/api/v1/openapi.json")["openapi"].startswith("3.1")
