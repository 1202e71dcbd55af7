"""A body has the members of its own entity and no others: each name that any row or answer knows is tried in the body of each
address. The names come from the entities' tables in the source, so a new field is tried as soon as it exists."""
import re

import pytest

import server as holdfast
from server import PASSWORD
from test_roles import routes_of

FIELD = re.compile(r'FIELD(?:_AS)?\(\d+, struct (\w+), ([\w.]+)(?:, "(\w+)")?')
OPEN = ("/access/",)  # AuthZEN lets a question say more than is looked at


def names():
    """{name: the entities that have it}, of everything that is stored, answered or kept in memory about people and keys."""
    found = {}
    for folder in ("domain", "api"):
        for path in (holdfast.SOURCE / "src" / folder).rglob("*.c"):
            for entity, member, name in FIELD.findall(path.read_text()):
                found.setdefault(name or member.rpartition(".")[2], set()).add(entity)
    assert {"roles", "state", "password_hash", "verifier", "second_ms", "failed_attempts", "permissions", "owner"} <= set(found)
    return found


@pytest.fixture(scope="module")
def document(desk):
    return desk.api().ok("GET", "/api/v1/openapi.json")


def bodies(document):
    for method, address, operation in routes_of(document):
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").split("/")[-1]
        if name and not address.startswith(OPEN):
            yield method, address, set(document["components"]["schemas"][name]["properties"]), operation


def test_no_body_takes_anothers_member(desk, document):
    api = desk.api(desk.login())
    key = api.ok("POST", "/api/v1/keys", {"name": "n", "environment": "development", "roles": ["viewer"], "usage": "read_only"})
    tried = 0
    for method, address, own, operation in bodies(document):
        address = address.replace("0123456789abcdef", key["id"])
        for name in sorted(names()):
            if name in own:
                continue
            a = api.call(method, address, {name: ["admin"]})
            if operation["x-permission"] in ("mev:execute", "orders:place", "positions:manage") and a.status == 403:
                break
            assert a.code in ("unknown-field", "forbidden"), (method, address, name, a)
            if a.code == "forbidden":
                assert operation["operationId"] == "key-rotate", (method, address, name, a)
            tried += 1
    assert tried > 2000


def test_ones_own_profile_gives_nothing(desk):
    desk.admin.ok("POST", "/api/v1/users", {"name": "modest", "password": PASSWORD, "roles": ["viewer"]})
    api = desk.api(desk.login("modest"))
    before = desk.admin.ok("GET", "/api/v1/users/modest")
    for name in sorted(set(names()) - {"email"}):
        for value in ("admin", ["admin"], True, 1):
            api.refused("unknown-field", "PATCH", "/api/v1/me", {"email": "modest@desk.example", name: value})
    for body in ({"email": {"roles": ["admin"]}}, {"email": ["a@desk.example"]}, [{"roles": ["admin"]}]):
        assert api.call("PATCH", "/api/v1/me", body).status == 400
    raw = b'{"email":"a@desk.example","email":"b@desk.example"}'
    assert api.call("PATCH", "/api/v1/me", raw=raw).status == 400
    after = desk.admin.ok("GET", "/api/v1/users/modest")
    assert after == before
    assert api.ok("GET", "/api/v1/session")["roles"] == ["viewer"]


def test_a_query_can_not_say_what_a_body_must(desk):
    api = desk.api(desk.login("modest"))
    for query in ("roles=admin", "state=active", "user=admin", "name=admin", "_method=DELETE"):
        api.refused("unknown-field", "PATCH", f"/api/v1/me?{query}", {"email": "modest@desk.example"})
    for header in ("X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-User",
                   "X-Remote-User", "Forwarded", "X-Forwarded-For"):
        value = {"X-Original-URL": "/api/v1/users", "X-Rewrite-URL": "/api/v1/users"}.get(header, "admin")
        assert api.ok("GET", "/api/v1/session", headers={header: value})["name"] == "modest"
