"""Each address of the API with each built-in role: who holds the permission that the OpenAPI document names gets to the
handler, who does not is refused before it, and the refusal is in the record. A new route is tested as soon as it exists."""
import pytest

import server as holdfast
from server import Failed

PERMISSIONS = """mev:view mev:execute mev:admin mev:api funds:manage system:config audit:view market:read orders:place
    positions:manage risk:view risk:modify secrets:access users:manage emergency:override web:access""".split()

# SPEC IAM-5, by hand: not taken from the program.
ROLES = {
    "admin": set(PERMISSIONS) - {"mev:execute", "orders:place", "positions:manage", "funds:manage"},
    "trader": {"mev:view", "mev:execute", "market:read", "orders:place", "positions:manage", "risk:view"},
    "viewer": {"mev:view"},
    "service-account": {"mev:api"},
    "risk_analyst": {"market:read", "risk:view", "risk:modify", "audit:view"},
    "system_admin": {"market:read", "secrets:access", "users:manage", "audit:view"},
    "security_admin": {"secrets:access", "users:manage", "audit:view", "emergency:override"},
    "compliance_officer": {"market:read", "risk:view", "audit:view"},
    "emergency_responder": {"market:read", "positions:manage", "risk:view", "emergency:override"},
    "read_only": {"market:read"},
}


def routes_of(document):
    """(method, address with values for its parameters, operation)"""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method not in ("get", "post", "put", "patch", "delete"):
                continue
            address = path
            for p in operation.get("parameters", []):
                if p["in"] == "path":
                    value = "0123456789abcdef" if p["name"] == "id" else "7" if p["name"] == "index" else "nothing-here"
                    address = address.replace("{%s}" % p["name"], value).replace("{%s...}" % p["name"], value)
            yield method.upper(), address, operation


@pytest.fixture(scope="module")
def document(desk):
    return desk.api().ok("GET", "/api/v1/openapi.json")


def test_every_operation_names_its_permission(document):
    known = {"public", "authenticated", *PERMISSIONS}
    found = list(routes_of(document))
    assert len(found) > 30
    for method, address, operation in found:
        assert "{" not in address, address
        assert operation["x-permission"] in known, (method, address)
        assert operation["operationId"] and operation["summary"]


def test_the_roles_are_those_of_the_specification(desk):
    for role, permissions in ROLES.items():
        api = person(desk, role)
        me = api.ok("GET", "/api/v1/session")
        assert set(me["permissions"]) == permissions, role


def person(desk, role):
    name = "is-" + role.replace("_", "-")
    a = desk.admin.call("POST", "/api/v1/users", {"name": name, "password": holdfast.PASSWORD, "roles": [role]})
    if a.code not in ("", "exists"):
        raise Failed(f"creating {name}: {a}")
    return desk.api(desk.login(name))


def denied(desk, actor):
    """Request ids of refusals for want of a permission, with that permission."""
    found, before = {}, 0
    while True:
        more = f"&before={before}" if before else ""
        page = desk.admin.ok("GET", f"/api/v1/audit/records?type=PERMISSION_DENIED&actor={actor}&limit=500{more}")
        for r in page["records"]:
            found[r["who"]["request_id"]] = r["what"]
        before = page.get("next", 0)
        if not before:
            return found


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_reach(desk, document, role):
    api = person(desk, role)
    sent = []
    routes = sorted(routes_of(document), key=lambda r: r[2]["operationId"] == "logout")  # it ends the session: last
    for method, address, operation in routes:
        permission = operation["x-permission"]
        body = {} if "requestBody" in operation else None
        a = api.call(method, address, body)
        allowed = permission in ("public", "authenticated") or permission in ROLES[role]
        sent.append((operation["operationId"], permission, allowed, a))
        assert a.status != 500, (method, address, a)
        if not allowed:
            assert a.code == "forbidden" and a.status == 403, (method, address, a)
    refusals = denied(desk, "user:is-" + role.replace("_", "-"))
    for name, permission, allowed, a in sent:
        what = refusals.get(a.headers["x-request-id"])
        if allowed:
            assert not what or what.get("detail") != permission, (name, a, what)
        else:
            assert what and what["resource"] == f"route:{name}" and what["detail"] == permission, (name, a, what)
