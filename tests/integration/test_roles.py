"""Each address of the API with each built-in role: who holds the permission that the OpenAPI document names gets to the
handler, who does not is refused before it, and the refusal is in the record. A new route is tested as soon as it exists."""
import json
import threading
import time
import urllib.parse

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


# --- roles that the installation defines


def refused(answer, code):
    assert answer.code == code, answer
    return answer


def role(desk, name, code=201, api=None, **parts):
    a = (api or desk.admin).call("POST", "/api/v1/roles", {"name": name, **parts})
    assert a.status == code, a
    return a


def test_a_role_through_the_command_line(desk):
    desk.cli("role", "create", "night-desk", "--grant", "market:read", "--grant", "risk:view", "--deny", "orders:place",
             "--level", "read", "--description", "watches at night")
    desk.admin.ok("POST", "/api/v1/users", {"name": "nora", "password": holdfast.PASSWORD, "roles": ["trader", "night-desk"]})
    nora = desk.api(desk.login("nora"))
    assert "risk:view" in nora.ok("GET", "/api/v1/session")["permissions"]
    assert "orders:place" not in nora.ok("GET", "/api/v1/session")["permissions"]  # trader grants it: denied all the same
    desk.cli("role", "change", "night-desk", "--grant", "mev:admin")
    permissions = nora.ok("GET", "/api/v1/session")["permissions"]
    assert "mev:admin" in permissions and "orders:place" in permissions
    assert desk.cli_json("role", "show", "night-desk")["grants"] == ["mev:admin"]
    assert "night-desk" in [r["name"] for r in desk.cli_json("role", "list")["roles"]]
    held = refused(desk.admin.call("DELETE", "/api/v1/roles/night-desk"), "in-use")
    assert held.status == 409 and "user:nora" in held.json["detail"]
    desk.cli("user", "change", "nora", "--role", "trader")
    desk.cli("role", "delete", "night-desk", "--yes")
    refused(desk.admin.call("GET", "/api/v1/roles/night-desk"), "not-found")
    for event in ("ROLE_CREATED", "ROLE_CHANGED", "ROLE_DELETED"):
        records = desk.admin.ok("GET", f"/api/v1/audit/records?type={event}")["records"]
        assert "role:night-desk" in [r["what"]["resource"] for r in records], event


def test_built_in_roles_stay(desk):
    for name in ROLES:
        refused(desk.admin.call("PUT", f"/api/v1/roles/{name}", {"grants": ["web:access"]}), "bad-value")
        refused(desk.admin.call("DELETE", f"/api/v1/roles/{name}"), "bad-value")
        refused(desk.admin.call("POST", "/api/v1/roles", {"name": name, "grants": ["web:access"]}), "exists")


def test_bad_definitions(desk):
    role(desk, "x", 400, grants=["market:write"])
    role(desk, "x", 400, grants=["authenticated"])
    role(desk, "X", 400, grants=["market:read"])
    role(desk, "x", 400, level="root")
    a = desk.admin.call("POST", "/api/v1/users", {"name": "zoe", "password": holdfast.PASSWORD, "roles": ["viewer", "nosuch"]})
    assert refused(a, "bad-value").json["pointer"] == "/roles/1", a


def test_nobody_defines_more_than_he_holds(desk):
    sam = person(desk, "system_admin")  # users:manage, without system:config
    role(desk, "reader", api=sam, grants=["market:read"], denies=["audit:view"])
    role(desk, "thief", 403, api=sam, grants=["funds:manage"])
    role(desk, "cage", 403, api=sam, denies=["orders:place"])  # could be put on somebody to stop him
    role(desk, "keyring", 403, api=sam, level="read")
    role(desk, "strong", grants=["market:read"], denies=["orders:place"])
    refused(sam.call("PUT", "/api/v1/roles/strong", {"grants": ["market:read"]}), "forbidden")  # would lift the denial
    refused(sam.call("DELETE", "/api/v1/roles/strong"), "forbidden")
    desk.admin.ok("POST", "/api/v1/users", {"name": "ada", "password": holdfast.PASSWORD, "roles": ["admin", "reader"]})
    refused(sam.call("PUT", "/api/v1/roles/reader", {"denies": ["users:manage"]}), "forbidden")  # ada holds system:config
    ada = desk.api(desk.login("ada"))
    refused(ada.call("PUT", "/api/v1/roles/reader", {"grants": ["funds:manage"]}), "forbidden")  # her own
    desk.admin.ok("PUT", "/api/v1/roles/reader", {"grants": ["market:read"]})


def test_a_key_holds_its_role(desk):
    role(desk, "metrics", grants=["market:read"])
    made = desk.cli_json("key", "create", "scraper", "--environment", "development", "--role", "metrics", "--usage", "full_access")
    bot = desk.api(made["key"])
    assert bot.ok("GET", "/api/v1/session")["permissions"] == ["market:read"]
    assert "key:" + made["id"] in refused(desk.admin.call("DELETE", "/api/v1/roles/metrics"), "in-use").json["detail"]
    desk.admin.ok("PUT", "/api/v1/roles/metrics", {"grants": ["orders:place"]})  # more than its owner may
    assert bot.ok("GET", "/api/v1/session")["permissions"] == []
    assert why(desk, "key:" + made["id"], "orders:place") == (False, "owner-lacks", "")
    desk.cli("key", "revoke", made["id"], "--yes")
    desk.cli("role", "delete", "metrics", "--yes")


def test_a_change_reaches_a_request_whose_body_is_on_its_way(desk):
    """The head is looked at first. Whoever lost the right before the last byte came is refused."""
    role(desk, "manager", grants=["users:manage", "market:read"])
    desk.admin.ok("POST", "/api/v1/users", {"name": "slow", "password": holdfast.PASSWORD, "roles": ["manager"]})
    token = desk.login("slow")
    body = json.dumps({"name": "too-late", "grants": ["market:read"]}).encode()
    raw = desk.api()._connect()  # as a client does, but the socket alone
    raw.connect()
    raw = raw.sock
    raw.sendall(b"POST /api/v1/roles HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Authorization: Bearer " + token.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:5])
    time.sleep(0.3)
    desk.admin.ok("PUT", "/api/v1/roles/manager", {"grants": ["market:read"]})
    raw.sendall(body[5:])
    assert raw.recv(4096).startswith(b"HTTP/1.1 403 "), "decided by what was true before"
    raw.close()
    refused(desk.admin.call("GET", "/api/v1/roles/too-late"), "not-found")


def test_acknowledged_changes_decide_every_later_request(desk):
    """Eight clients ask without pause while a role changes. What is asked and answered after a change was acknowledged, and
    before the next one was sent, follows it."""
    role(desk, "switch", grants=["market:read"])
    desk.admin.ok("POST", "/api/v1/users", {"name": "sue", "password": holdfast.PASSWORD, "roles": ["switch"]})
    token = desk.login("sue")
    epoch, wrong, looks, end = [0], [], [0], threading.Event()

    def ask():
        api = desk.api(token)
        while not end.is_set():
            before = epoch[0]
            got = api.ok("GET", "/api/v1/session")["permissions"]
            if before == epoch[0] and before % 2 == 0:  # nothing changed meanwhile
                looks[0] += 1
                if got != [("market:read", "risk:view")[before // 2 % 2]]:
                    wrong.append((before, got))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for t in threads:
        t.start()
    for n in range(1, 61):
        epoch[0] += 1
        desk.admin.ok("PUT", "/api/v1/roles/switch", {"grants": [("market:read", "risk:view")[n % 2]]})
        epoch[0] += 1
        time.sleep(0.02)
    end.set()
    for t in threads:
        t.join()
    assert not wrong and looks[0] > 100, (looks, wrong[:3])


# --- one question, one answer


def why(desk, identity, permission, resource="", **more):
    query = {"identity": identity, "permission": permission, **({"resource": resource} if resource else {}), **more}
    x = desk.admin.ok("GET", "/api/v1/explain?" + urllib.parse.urlencode(query))
    return x["allowed"], x["rule"], x.get("role", "")


@pytest.fixture(scope="module")
def cast(desk):
    """People and keys that differ in one thing each."""
    users = {"ed": ["read_only"], "fay": ["trader", "muzzle"], "gus": ["viewer"], "hal": ["trader"]}
    role(desk, "muzzle", denies=["orders:place"])
    for name, roles in users.items():
        desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": holdfast.PASSWORD, "roles": roles,
                                                 "environments": ["development"]})
    desk.admin.ok("PATCH", "/api/v1/users/gus", {"state": "disabled"})
    hal = desk.api(desk.login("hal"))
    made = {name: hal.ok("POST", "/api/v1/keys", {"name": name, "environment": "development", "usage": usage, "roles": ["trader"],
                                                  "credentials": ["exchange/a/*"]})
            for name, usage in (("full", "full_access"), ("reads", "read_only"), ("gone", "full_access"))}
    hal.ok("DELETE", "/api/v1/keys/" + made["gone"]["id"])
    for path, environment in (("app/dev", "development"), ("app/live", "production")):
        desk.cli("secret", "put", path, "--environment", environment, "--kind", "password", "--value-file", "-",
                 "--reason", "test", stdin="s3cret-value")
    return made


def test_explain_names_the_rule(desk, cast):
    key = "key:" + cast["full"]["id"]
    assert why(desk, "user:hal", "orders:place") == (True, "granted", "trader")
    assert why(desk, "user:fay", "orders:place") == (False, "role-denies", "muzzle")
    assert why(desk, "user:hal", "funds:manage") == (False, "role-denies", "trader")
    assert why(desk, "user:ed", "orders:place") == (False, "not-granted", "")
    assert why(desk, "user:gus", "mev:view") == (False, "user-disabled", "")
    assert why(desk, "user:nobody", "mev:view") == (False, "no-such-identity", "")
    assert why(desk, key, "orders:place") == (True, "granted", "trader")
    assert why(desk, "key:" + cast["reads"]["id"], "orders:place") == (False, "key-usage", "")
    assert why(desk, "key:" + cast["gone"]["id"], "orders:place") == (False, "key-revoked", "")
    assert why(desk, key, "mev:execute", "credential:exchange/b/main") == (False, "credential-not-named", "")
    assert why(desk, key, "mev:execute", "credential:exchange/a/none") == (False, "no-such-resource", "")
    assert why(desk, "user:hal", "orders:place", "order:4711") == (True, "granted", "trader")


def test_explain_says_that_a_second_factor_is_needed(desk, cast):
    """A trader's grant is worth nothing in a session that showed none; whose session it is, nobody asked."""
    def open_for(identity, permission):
        return desk.admin.ok("GET", f"/api/v1/explain?identity={identity}&permission={permission}").get("not_judged", [])
    assert open_for("user:hal", "orders:place") == ["second_factor"]
    assert open_for("user:hal", "funds:manage") == []  # refused in any case
    assert open_for("user:ed", "market:read") == []
    assert open_for("key:" + cast["full"]["id"], "orders:place") == []  # programs are not asked
    assert "second_factor" in desk.cli("explain", "user:hal", "orders:place").stdout


def test_explanation_and_decision_agree(desk, cast, document):
    """What explain says of a permission is what the routes that need it do."""
    identities = {f"user:{name}": desk.login(name) for name in ("hal", "ed", "fay")}
    identities["key:" + cast["full"]["id"]] = cast["full"]["key"]
    for identity, token in identities.items():
        api, said = desk.api(token), []
        for method, address, operation in routes_of(document):
            if operation["x-permission"] in ("public", "authenticated") or method != "GET":
                continue
            allowed, rule, _ = why(desk, identity, operation["x-permission"])
            request = api.call(method, address).headers["x-request-id"]
            said.append((allowed, request, operation["x-permission"], rule))
        refusals = denied(desk, identity)
        for allowed, request, permission, rule in said:
            refused_for_want = refusals.get(request, {}).get("detail") == permission
            assert allowed != refused_for_want, (identity, permission, rule)
        assert False in [s[0] for s in said]


def test_explain_of_secrets(desk, cast):
    for name, roles, environments in (("ivy", "admin", ["development"]), ("jo", "system_admin", ["development"])):
        desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": holdfast.PASSWORD, "roles": [roles],
                                                 "environments": environments})
    asked = ("secrets:access", "secret:app/dev")
    assert why(desk, "user:ivy", *asked) == (True, "granted", "admin")
    assert why(desk, "user:ivy", *asked, level="emergency") == (False, "secret-level", "")
    assert why(desk, "user:ivy", "secrets:access", "secret:app/live") == (False, "secret-environment", "")
    assert why(desk, "user:jo", *asked) == (False, "secret-level", "")
    assert why(desk, "user:ivy", "secrets:access", "secret:app/none") == (False, "no-such-resource", "")
    jo = desk.api(desk.login("jo"))  # manages users, and may know of no secret
    x = jo.ok("GET", "/api/v1/explain?identity=user:ivy&permission=secrets:access&resource=secret:app/dev")
    assert x["rule"] == "no-such-resource"


def test_asking_about_others(desk, cast):
    hal = desk.api(desk.login("hal"))
    assert hal.ok("GET", "/api/v1/explain?permission=orders:place")["identity"] == "user:hal"
    assert hal.ok("GET", "/api/v1/explain?permission=orders:place&identity=key:" + cast["full"]["id"])["allowed"]
    refused(hal.call("GET", "/api/v1/explain?permission=orders:place&identity=user:admin"), "forbidden")
    refused(hal.call("GET", "/api/v1/who-can?permission=orders:place"), "forbidden")
    refused(desk.admin.call("GET", "/api/v1/explain?permission=orders:eat"), "bad-value")
    refused(desk.admin.call("GET", "/api/v1/explain?permission=orders:place&identity=hal"), "bad-value")


def test_who_can(desk, cast):
    found, after = {}, ""
    for _ in range(200):
        page = desk.admin.ok("GET", f"/api/v1/who-can?permission=orders:place&limit=3&after={after}")
        found.update({x["identity"]: x["role"] for x in page["identities"]})
        after = page.get("next", "")
        if not after:
            break
    assert found["user:hal"] == "trader" and found["key:" + cast["full"]["id"]] == "trader"
    assert not {"user:fay", "user:ed", "user:gus", "user:admin", "key:" + cast["reads"]["id"]} & set(found)
    assert "hal" in desk.cli("who-can", "orders:place", "--limit", "500").stdout
    assert "muzzle" in desk.cli("explain", "user:fay", "orders:place").stdout


# --- AuthZEN 1.0


def asks(subject, action, resource=("thing", "1"), **more):
    return {"subject": {"type": subject.split(":")[0], "id": subject.split(":", 1)[1]}, "action": {"name": action},
            "resource": {"type": resource[0], "id": resource[1]}, **more}


def test_authzen_evaluation(desk, cast):
    post = lambda body, **more: desk.admin.call("POST", "/access/v1/evaluation", body, **more)
    yes = post(asks("user:hal", "orders:place"), headers={"X-Request-ID": "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"})
    assert yes.status == 200 and yes.json["decision"] is True and yes.json["context"]["role"] == "trader"
    assert yes.headers["x-request-id"] == "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"
    no = post(asks("user:fay", "orders:place", context={"time": "now"}, unknown=1)).json
    assert no["decision"] is False and no["context"]["code"] == "role-denies"
    assert post(asks("robot:7", "orders:place")).json["context"]["code"] == "no-such-identity"
    assert post(asks("user:hal", "can_read")).json == {"decision": False, "context": {
        "code": "no-such-permission", "reason": "there is no such permission"}}
    for body in ({}, {**asks("user:hal", "orders:place"), "subject": "hal"}, asks("user:", "orders:place"), [],
                 {"subject": {"type": "user", "id": "hal"}, "action": {"name": "orders:place"}},
                 asks("user:hal", "orders:place", context=[])):
        assert post(body).status == 400, body
    refused(desk.api(desk.login("hal")).call("POST", "/access/v1/evaluation", asks("user:hal", "orders:place")), "forbidden")
    refused(desk.api().call("POST", "/access/v1/evaluation", asks("user:hal", "orders:place")), "unauthenticated")


def test_authzen_evaluations(desk, cast):
    who = {"subject": {"type": "user", "id": "hal"}, "resource": {"type": "thing", "id": "1"}}
    three = [{"action": {"name": p}} for p in ("orders:place", "funds:manage", "risk:view")]

    def decisions(semantic=None, evaluations=three):
        options = {"options": {"evaluations_semantic": semantic}} if semantic else {}
        a = desk.admin.call("POST", "/access/v1/evaluations", {**who, "evaluations": evaluations, **options})
        return [e["decision"] for e in a.json["evaluations"]] if a.status == 200 else a.status

    assert decisions() == decisions("execute_all") == [True, False, True]
    assert decisions("deny_on_first_deny") == [True, False]
    assert decisions("permit_on_first_permit") == [True]
    assert decisions("permit_on_first_permit", three[1:]) == [False, True]
    assert decisions("whatever") == 400
    assert decisions(evaluations={}) == 400
    assert decisions(evaluations=three * 86) == 400
    # What stands in an evaluation beats what stands for all; one that can't be judged is denied, and the others go on.
    mixed = [{"action": {"name": "orders:place"}, "subject": {"type": "user", "id": "ed"}}, {}, three[0]]
    a = desk.admin.ok("POST", "/access/v1/evaluations", {**who, "evaluations": mixed})["evaluations"]
    assert [e["decision"] for e in a] == [False, False, True] and a[1]["context"]["error"]["status"] == 400
    one = desk.admin.ok("POST", "/access/v1/evaluations", {**who, **three[0], "evaluations": []})
    assert one["decision"] is True


def test_authzen_says_that_a_second_factor_is_needed(desk, cast):
    """A program that takes the decision alone would let a trader act who showed no second factor, and could not know."""
    def open_for(subject, permission):
        found = desk.admin.ok("POST", "/access/v1/evaluation", asks(subject, permission))
        return found["decision"], found["context"].get("not_judged", [])
    assert open_for("user:hal", "orders:place") == (True, ["second_factor"])
    assert open_for("user:hal", "funds:manage") == (False, [])
    assert open_for("user:ed", "market:read") == (True, [])
    assert open_for("key:" + cast["full"]["id"], "orders:place") == (True, [])


def test_authzen_tells_about_others_who_looks_after_users(desk, cast):
    """Who may ask and no more learns what he himself and his own keys may, and not what anybody else may or that he exists."""
    desk.admin.ok("POST", "/api/v1/users", {"name": "ida", "password": holdfast.PASSWORD, "roles": ["service-account"]})
    ida = desk.api(desk.login("ida"))
    own = ida.ok("POST", "/api/v1/keys", {"name": "pep", "roles": ["service-account"], "usage": "full_access",
                                           "environment": "development"})
    pep = desk.api(own["key"])
    others = ("user:hal", "user:nobody", "key:" + cast["full"]["id"], "key:0123456789abcdef", "robot:7", "user:" + "x" * 900)
    for api, me in ((ida, "user:ida"), (pep, "key:" + own["id"])):
        assert api.ok("POST", "/access/v1/evaluation", asks(me, "mev:api"))["decision"] is True
        assert api.ok("POST", "/access/v1/evaluation", asks(me, "users:manage"))["decision"] is False
        for other in others:
            answers = {permission: api.call("POST", "/access/v1/evaluation", asks(other, permission))
                       for permission in ("orders:place", "funds:manage", "no:such")}
            for answer in answers.values():
                refused(answer, "forbidden")
        mixed = [asks(me, "mev:api"), asks("user:hal", "orders:place"), asks("user:nobody", "orders:place"), asks(me, "mev:api")]
        before = denials(desk, me)
        a = api.ok("POST", "/access/v1/evaluations", {"evaluations": mixed})["evaluations"]
        assert [e["decision"] for e in a] == [True, False, False, True]
        assert a[1] == a[2] and a[1]["context"]["error"]["status"] == 403 and set(a[1]["context"]) == {"error"}
        found = denials(desk, me)  # one for all of them, durable before the answer
        assert len(found) == len(before) + 1 and found[0]["what"]["resource"] == "user:hal"
    assert ida.ok("POST", "/access/v1/evaluation", asks("key:" + own["id"], "mev:api"))["decision"] is True


def denials(desk, actor):
    found = desk.admin.ok("GET", f"/api/v1/audit/records?type=PERMISSION_DENIED&actor={actor}&limit=100")["records"]
    return sorted(found, key=lambda r: r.get("number", r.get("sequence", 0)), reverse=True)


def test_authzen_metadata(desk):
    found = desk.api().ok("GET", "/.well-known/authzen-configuration")
    base = found["policy_decision_point"]
    assert base.startswith("https://") and not base.endswith("/")
    assert found["access_evaluation_endpoint"] == base + "/access/v1/evaluation"
    assert found["access_evaluations_endpoint"] == base + "/access/v1/evaluations"
