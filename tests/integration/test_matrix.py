"""Whose object is it? Each address that names an object, with each built-in role, for an object of one's own and for
somebody else's: what is answered stands in matrix.expected, so that a change to any of it is seen and thought about. A
route without a line there fails. HOLDFAST_WRITE_MATRIX=1 writes the file anew; read the difference before committing it."""
import os
import pathlib
import re
import time

import pytest

import desk as trading
from server import PASSWORD
from test_roles import ROLES

FILE = pathlib.Path(__file__).with_name("matrix.expected")
FRESH = {"value": "another value"}
EXPIRY = int(time.time() * 1000) + 12 * 3600 * 1000
APPROVAL = {"alg": 1, "key": "02" * 32, "signature": "03" * 64, "expiry_ms": EXPIRY}  # only the keeper looks whether it is one

# (operation, what makes it another case, address, body); {…} is an object of the person, or of somebody else.
CASES = [
    ("session-list", "", "/api/v1/sessions?user={user}", None),
    ("session-revoke", "id", "/api/v1/sessions/revoke", {"id": "{session}"}),
    ("session-revoke", "user", "/api/v1/sessions/revoke", {"user": "{user}"}),
    ("user-show", "", "/api/v1/users/{user}", None),
    ("user-change", "email", "/api/v1/users/{user}", {"email": "new@desk.example"}),
    ("user-change", "roles", "/api/v1/users/{user}", {"roles": ["viewer"]}),
    ("user-change", "admin", "/api/v1/users/{user}", {"roles": ["admin"]}),
    ("user-change", "password", "/api/v1/users/{user}", {"password": PASSWORD + "9"}),
    ("user-change", "state", "/api/v1/users/{user}", {"state": "disabled"}),
    ("user-change", "invite", "/api/v1/users/{user}", {"invite": True}),
    ("user-delete", "", "/api/v1/users/{user}", None),
    ("user-mfa-reset", "", "/api/v1/users/{user}/mfa", None),
    ("key-create", "", "/api/v1/keys", {"owner": "{user}", "name": "n", "environment": "development", "usage": "read_only",
                                        "roles": ["viewer"]}),
    ("key-list", "", "/api/v1/keys?owner={user}", None),
    ("key-show", "", "/api/v1/keys/{key}", None),
    ("key-usage", "", "/api/v1/keys/{key}/usage", None),
    ("key-revoke", "", "/api/v1/keys/{key}", None),
    ("key-rotate", "", "/api/v1/keys/{key}/rotate", {"grace_seconds": 60}),
    ("key-suspend", "", "/api/v1/keys/{key}/suspend", None),
    ("key-reactivate", "", "/api/v1/keys/{key}/reactivate", None),
    ("key-renew", "", "/api/v1/keys/{key}/renew", None),
    ("key-unlock", "", "/api/v1/keys/{key}/unlock", {"hours": 1}),
    ("secret-create", "", "/api/v1/secrets", {"path": "{new-path}", "kind": "password", "environment": "{environment}",
                                              "value": "v"}),
    ("secret-read", "", "/api/v1/secrets/data/{secret}", None),
    ("secret-metadata", "", "/api/v1/secrets/metadata/{secret}", None),
    ("secret-describe", "", "/api/v1/secrets/metadata/{secret}", {"description": "mine"}),
    ("secret-history", "", "/api/v1/secrets/history/{secret}", None),
    ("secret-rotate", "", "/api/v1/secrets/rotate/{secret}", FRESH),
    ("secret-revoke", "", "/api/v1/secrets/revoke/{secret}", {}),
    ("secret-delete", "", "/api/v1/secrets/delete/{secret}", {"version": 1}),
    ("secret-undelete", "", "/api/v1/secrets/undelete/{secret}", {"version": 1}),
    ("secret-destroy", "", "/api/v1/secrets/destroy/{secret}", {"version": 1}),
    ("credential-show", "", "/api/v1/credentials/data/{credential}", None),
    ("credential-put", "", "/api/v1/credentials/data/{credential}", {}),
    ("credential-freeze", "", "/api/v1/credentials/freeze/{frozen}", {}),
    ("credential-release", "", "/api/v1/credentials/release/{frozen}", {}),
    ("approval-show", "", "/api/v1/approvals/{request}", None),
    ("approval-give", "", "/api/v1/approvals/{request}/approve", {"approval": APPROVAL}),
    ("approval-reject", "", "/api/v1/approvals/{request}/reject", {}),
    ("approval-close", "", "/api/v1/approvals/{request}/close", {}),
    ("sign", "", "/api/v1/sign", {**trading.order("binance"), "credential": "{credential}"}),
    ("audit-show", "", "/api/v1/audit/records/1", None),
    ("audit-tile", "", "/api/v1/audit/tile/0/999", None),
    ("token-list", "", "/api/v1/tokens?user={user}", None),
    ("token-revoke", "grant", "/api/v1/tokens/revoke", {"grant": "{grant}"}),
    ("token-revoke", "user", "/api/v1/tokens/revoke", {"user": "{user}"}),
    ("token-revoke", "key", "/api/v1/tokens/revoke", {"key": "{key}"}),
    ("token-revoke", "id", "/api/v1/tokens/revoke", {"id": "{jti}"}),
    ("token-revoke", "token", "/api/v1/tokens/revoke", {"token": "{token}"}),
    ("role-show", "", "/api/v1/roles/{role}", None),
    ("role-change", "", "/api/v1/roles/{role}", {"grants": ["market:read"]}),
    ("role-delete", "", "/api/v1/roles/{role}", None),
    ("mapping-create", "user", "/api/v1/mappings", {"match": "dns:{name}.example", "identity": "user:{user}"}),
    ("mapping-create", "key", "/api/v1/mappings", {"match": "dns:{name}.example", "identity": "key:{key}"}),
    ("mapping-delete", "", "/api/v1/mappings/{mapping}", None),
    ("explain", "user", "/api/v1/explain?identity=user:{user}&permission=mev:view", None),
    ("explain", "key", "/api/v1/explain?identity=key:{key}&permission=mev:view", None),
    ("guard-live", "", "/api/v1/guard/live?identity=user:{user}", None),
    ("passkey-rename", "", "/api/v1/me/mfa/passkeys/{passkey}", {"name": "n"}),
    ("passkey-remove", "", "/api/v1/me/mfa/passkeys/{passkey}", None),
]
# Members of a query or a body that name an object.
NAMING = {"id", "user", "owner", "grant", "key", "identity", "credential", "session"}
# What looks like it and is not: the key or the answer itself is shown, it is about oneself alone, or it is a public key.
OTHERWISE = {"key-verify", "passkey-new", "approval-ask"}


class World:
    """Makes objects of one user: a new one each time, since most calls end what they are about."""

    def __init__(self, desk):
        self.desk, self.count, self.request = desk, 0, None

    def number(self):
        self.count += 1
        return self.count

    def person(self, role, environments):
        name = f"m-{role.replace('_', '-')}-{self.number()}"
        self.desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": [role],
                                                     "environments": environments})
        return Person(self, name, role, environments[0])


class Person:
    def __init__(self, world, name, role, environment):
        self.world, self.desk, self.name, self.role, self.environment = world, world.desk, name, role, environment
        self.api = self.desk.api(self.desk.login(name))

    def is_as_before(self):
        """The last call may have been about him."""
        a = self.api.call("GET", "/api/v1/session")
        return a.status == 200 and a.json["roles"] == [self.role]

    def make(self, what):
        return getattr(self, "a_" + what.replace("-", "_"))()

    def a_user(self):
        return self.name

    def a_name(self):
        return f"n{self.world.number()}"

    def a_environment(self):
        return self.environment

    def a_session(self):
        token = self.desk.login(self.name)
        assert token
        return next(s["id"] for s in self.api.ok("GET", "/api/v1/sessions")["sessions"] if not s.get("current"))

    def a_key(self):
        return self.api.ok("POST", "/api/v1/keys", {"name": "k", "environment": self.environment, "usage": "read_only",
                                                      "roles": [self.role]})["id"]

    def tokens(self):
        return self.api.ok("POST", "/api/v1/tokens", {"client": "matrix"})

    def a_token(self):
        return self.tokens()["access_token"]

    def a_jti(self):
        return self.tokens()["id"]

    def a_grant(self):
        return self.tokens()["grant"]

    def a_new_path(self):
        return f"matrix/s{self.world.number()}"

    def a_secret(self):
        path = self.a_new_path()
        self.desk.admin.ok("POST", "/api/v1/secrets", {"path": path, "kind": "password", "environment": self.environment,
                                                       "value": "v"})
        return path

    def a_credential(self):
        return f"exchange/{self.environment}"

    def a_frozen(self):
        return f"exchange/{self.environment}-frozen"

    def a_request(self):
        """Who may not ask has none of his own. 64 wait at most, so each goes before the next is made."""
        if self.world.request:
            self.desk.admin.call("POST", f"/api/v1/approvals/{self.world.request}/reject", {})
        api = self.api if self.role == "admin" else self.desk.admin
        self.world.request = api.ok("POST", "/api/v1/approvals", {"kind": "four-eyes", "to": 3, "approval": {**APPROVAL, "key": "01" * 32}})["id"]
        return self.world.request

    def a_role(self):
        return self.role

    def a_mapping(self):
        return self.desk.admin.ok("POST", "/api/v1/mappings", {"match": f"dns:{self.a_name()}.own.example",
                                                               "identity": f"user:{self.name}"})["id"]

    def a_passkey(self):
        return "AAAAAAAAAAAAAAAAAAAAAA"


@pytest.fixture(scope="module")
def world(desk):
    for environment in ("development", "production"):
        for path in (f"exchange/{environment}", f"exchange/{environment}-frozen"):
            trading.store(desk, "binance", path=path, environment=environment)
    return World(desk)


def filled(template, person):
    if isinstance(template, dict):
        return {k: filled(v, person) for k, v in template.items()}
    if not isinstance(template, str):
        return template
    return re.sub(r"\{([a-z-]+)\}", lambda m: person.make(m[1]), template)


def operations(desk):
    document = desk.api().ok("GET", "/api/v1/openapi.json")
    for path, item in document["paths"].items():
        for method, o in item.items():
            if method not in ("get", "post", "put", "patch", "delete") or o["x-permission"] == "public":
                continue
            schema = o.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            members = document["components"]["schemas"].get(schema.get("$ref", "").split("/")[-1], {}).get("properties", {})
            query = {p["name"] for p in o.get("parameters", []) if p["in"] == "query"}
            yield o["operationId"], method.upper(), "{" in path or bool(NAMING & (query | set(members)))


def test_every_route_that_names_an_object_has_its_line(desk):
    naming = {name for name, _, names in operations(desk) if names} - OTHERWISE
    assert naming - {c[0] for c in CASES} == set(), "say in CASES how it is called, and write matrix.expected anew"
    assert {c[0] for c in CASES} - naming == set(), "gone, or it names nothing"


def line(case, whose):
    return " ".join(filter(None, (case[0], case[1], whose)))


def outcome(api, method, case, person):
    a = api.call(method, filled(case[2], person), filled(case[3], person) if case[3] is not None else None)
    assert a.status != 500, (case, a)
    return a.code or "ok"


def ask(world, role, methods):
    """{line: what is answered} for one role."""
    found = {}
    people = {"own": (role, ["development"]), "foreign": ("compliance_officer" if role == "viewer" else "viewer", ["production"])}
    made = {}
    for case in CASES:
        for whose in people:
            for w, about in people.items():
                if w not in made or not made[w].is_as_before():
                    made[w] = world.person(*about)
            found[line(case, whose)] = outcome(made["own"].api, methods[case[0]], case, made[whose])
    return found


def table(found):
    rows = ["# What is answered to whom: 'ok', or the code of the refusal. Written by test_matrix.py.", ""]
    for row in found[next(iter(ROLES))]:
        by_answer = {}
        for role in ROLES:
            by_answer.setdefault(found[role][row], []).append(role)
        rows.append(row)
        rows += [f"    {answer}: {' '.join(by_answer[answer])}" for answer in sorted(by_answer)]
    return "\n".join(rows) + "\n"


def test_what_is_answered(world):
    methods = {name: method for name, method, _ in operations(world.desk)}
    got = table({role: ask(world, role, methods) for role in ROLES})
    if os.environ.get("HOLDFAST_WRITE_MATRIX"):
        FILE.write_text(got)
    assert got == FILE.read_text()
