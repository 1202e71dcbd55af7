"""Client certificates and Unix groups: real certificates of a real authority, over real TLS, mapped to users and API keys."""
import datetime
import http.client
import os
import signal
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import server as holdfast
import test_mfa
from server import PASSWORD, Answer, Api, Failed, until

NOW = datetime.datetime.utcnow
MINUTE = datetime.timedelta(minutes=1)


class Authority:
    """Makes certificates of clients, and lists of those that are revoked."""

    def __init__(self, directory, name="Desk CA"):
        self.directory, self.count = directory, 0
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (self._begin(self.name, self.key)
                            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
                            .sign(self.key, hashes.SHA256()))
        self.file = directory / f"{name.replace(' ', '-')}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _begin(self, name, key, begins=-5 * MINUTE, ends=60 * MINUTE):
        return (x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key.public_key())
                .serial_number(x509.random_serial_number()).not_valid_before(NOW() + begins).not_valid_after(NOW() + ends))

    def make(self, *names, purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,), **more):
        """(file with key and certificate, certificate)"""
        self.count += 1
        key = ec.generate_private_key(ec.SECP256R1())
        b = self._begin(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")]), key, **more)
        if names:
            b = b.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if purposes:
            b = b.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        c = b.sign(self.key, hashes.SHA256())
        path = self.directory / f"{id(self)}-{self.count}.pem"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()) + c.public_bytes(serialization.Encoding.PEM))
        return path, c

    def revoke(self, *certificates, ends=60 * MINUTE):
        b = x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(NOW() - 10 * MINUTE).next_update(
            NOW() + ends)
        for c in certificates:
            b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(c.serial_number)
                                          .revocation_date(NOW() - MINUTE).build())
        return b.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def desk(ca):
    s = holdfast.Server(config={"tls": {"client_ca": ca.file}})
    try:
        yield s.begin()
    finally:
        s.remove()


class Certified(Api):
    """Shows a client's certificate."""

    def __init__(self, server, path, token=None):
        super().__init__(server, token)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.load_verify_locations(server.data / "tls" / "server.crt")
        self.context.load_cert_chain(path)

    def _connect(self):
        return http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=self.timeout, context=self.context)


def key(desk, **more):
    desk.keys = getattr(desk, "keys", 0) + 1
    return desk.admin.ok("POST", "/api/v1/keys", {"name": f"bot {desk.keys}", "environment": "development",
                                                  "usage": "full_access", "roles": ["viewer"], **more})


def person(desk, roles=("viewer",)):
    desk.people = getattr(desk, "people", 0) + 1
    name = f"certified-{desk.people}"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": list(roles)})
    return name


def mapped(desk, match, identity):
    return desk.admin.ok("POST", "/api/v1/mappings", {"match": match, "identity": identity})["id"]


def me(api, **more):
    return api.call("GET", "/api/v1/session", **more)


def fingerprint(c):
    return c.fingerprint(hashes.SHA256()).hex(":").upper()


MATCHES = [
    (x509.DNSName("grid.bots.desk.example"), "dns:Grid.Bots.Desk.Example"),
    (x509.UniformResourceIdentifier("spiffe://desk/grid-Bot"), "uri:spiffe://desk/grid-Bot"),
    (x509.RFC822Name("Grid@DESK.example"), "email:Grid@desk.Example"),
    (None, None),  # by fingerprint
]


@pytest.mark.parametrize("name, match", MATCHES)
def test_a_certificate_stands_for_a_key(desk, ca, name, match):
    path, c = ca.make(*([name] if name else []))
    k = key(desk)
    api = Certified(desk, path)
    assert me(api).code == "unauthenticated"  # it verifies, and is nobody
    m = mapped(desk, match or f"sha256:{fingerprint(c)}", f"key:{k['id']}")
    who = me(api).json
    assert (who["way"], who["key_id"], who["actor"]) == ("certificate", k["id"], f"key:{k['id']}"), who
    assert who["permissions"] == ["mev:view"]
    api.refused("forbidden", "GET", "/api/v1/users")
    desk.admin.ok("POST", f"/api/v1/keys/{k['id']}/suspend")
    assert me(api).code == "key-disabled"
    desk.admin.ok("POST", f"/api/v1/keys/{k['id']}/reactivate")
    assert me(api).status == 200
    desk.admin.ok("DELETE", f"/api/v1/mappings/{m}")
    assert me(api).code == "unauthenticated"  # on the connection that was open


def test_a_certificate_stands_for_a_user(desk, ca):
    name = person(desk)
    path, _ = ca.make(x509.RFC822Name(f"{name}@desk.example"))
    mapped(desk, f"email:{name}@desk.example", f"user:{name}")
    api = Certified(desk, path)
    who = me(api).json
    assert (who["way"], who["name"], who["actor"]) == ("certificate", name, f"user:{name}")
    api.refused("forbidden", "GET", "/api/v1/me")  # a session's alone
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"roles": ["system_admin"]})
    assert api.call("GET", "/api/v1/users").status == 200
    desk.admin.ok("PATCH", f"/api/v1/users/{name}", {"state": "disabled"})
    assert me(api).code == "bad-credentials"
    desk.admin.ok("DELETE", f"/api/v1/users/{name}")
    assert me(api).code == "bad-credentials"
    desk.admin.ok("POST", "/api/v1/users", {"name": name, "password": PASSWORD, "roles": ["viewer"]})
    assert me(api).code == "bad-credentials"  # a later one of that name is somebody else


def test_who_has_a_second_factor_shows_it(desk, ca):
    name = person(desk)
    path, _ = ca.make(x509.DNSName("second.desk.example"))
    mapped(desk, "dns:second.desk.example", f"user:{name}")
    assert me(Certified(desk, path)).status == 200
    test_mfa.set_up(desk.api(desk.login(name)))
    assert me(Certified(desk, path)).code == "way-refused"


def test_whose_role_asks_for_a_second_factor_has_to_show_it(desk, ca):
    desk.admin.ok("POST", "/api/v1/users", {"name": "chief", "password": PASSWORD, "roles": ["admin"]})
    path, _ = ca.make(x509.DNSName("chief.desk.example"))
    mapped(desk, "dns:chief.desk.example", "user:chief")
    api = Certified(desk, path)
    assert me(api).json["second_factor_missing"]
    api.refused("second-factor-required", "GET", "/api/v1/users")


def test_the_common_name_is_nobody(desk, ca):
    path, _ = ca.make()  # its common name is admin
    assert me(Certified(desk, path)).code == "unauthenticated"
    path, _ = ca.make(x509.DNSName("*.bots.desk.example"), x509.DNSName("admin"))
    assert me(Certified(desk, path)).code == "unauthenticated"


@pytest.mark.parametrize("how", ["expired", "not yet", "no purpose", "a server's", "another authority"])
def test_certificates_that_are_none(desk, ca, tmp_path, how):
    k = key(desk)
    name = x509.DNSName(f"{how.replace(' ', '-').replace(chr(39), '')}.desk.example")
    mapped(desk, f"dns:{name.value}", f"key:{k['id']}")
    path, _ = {
        "expired": lambda: ca.make(name, begins=-60 * MINUTE, ends=-MINUTE),
        "not yet": lambda: ca.make(name, begins=MINUTE),
        "no purpose": lambda: ca.make(name, purposes=()),
        "a server's": lambda: ca.make(name, purposes=(ExtendedKeyUsageOID.SERVER_AUTH,)),
        "another authority": lambda: Authority(tmp_path, "Desk CA").make(name),
    }[how]()
    assert me(Certified(desk, path)).code == "bad-credentials"
    good, _ = ca.make(name)
    assert me(Certified(desk, good)).status == 200


def test_a_certificate_ends_on_a_connection_that_is_kept(desk, ca):
    k = key(desk)
    path, _ = ca.make(x509.DNSName("short.desk.example"), ends=datetime.timedelta(seconds=3))
    mapped(desk, "dns:short.desk.example", f"key:{k['id']}")
    api = Certified(desk, path)
    assert me(api).status == 200
    connection = api.connection
    until("its end", lambda: me(api).code == "bad-credentials", 6, 0.3)
    assert api.connection is connection


def test_exactly_one_identity(desk, ca):
    one, two = key(desk), key(desk)
    path, c = ca.make(x509.DNSName("one.desk.example"), x509.DNSName("two.desk.example"))
    api = Certified(desk, path)
    mapped(desk, "dns:one.desk.example", f"key:{one['id']}")
    mapped(desk, f"sha256:{fingerprint(c)}", f"key:{one['id']}")
    assert me(api).json["key_id"] == one["id"]  # twice the same is one
    api.refused("bad-request", "GET", "/api/v1/session", headers={"Authorization": f"Bearer {one['key']}"})
    api.refused("bad-request", "GET", "/api/v1/session", headers={"X-API-Key": one["key"]})
    api.refused("bad-request", "GET", "/api/v1/session", headers={"Cookie": "__Host-holdfast=hfs_" + 43 * "0"})
    m = mapped(desk, "dns:two.desk.example", f"key:{two['id']}")
    assert me(api).code == "bad-request"
    desk.admin.ok("DELETE", f"/api/v1/mappings/{m}")
    assert me(api).json["key_id"] == one["id"]
    nobody, _ = ca.make()
    token = desk.api(desk.admin.token).token
    assert me(Certified(desk, nobody, token)).json["name"] == "admin"  # a certificate of nobody is in nobody's way


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_browsers_certificate_is_no_tool_of_other_sites(desk, ca, headers):
    name = person(desk)
    path, c = ca.make()
    mapped(desk, f"sha256:{fingerprint(c)}", f"user:{name}")
    api = Certified(desk, path)
    api.refused("cross-site", "POST", "/api/v1/sessions/revoke", {"others": True}, headers=headers)
    assert me(api).status == 200


# --- who may map


def test_nobody_maps_to_who_may_more(desk):
    manager = desk.api(desk.login(person(desk, ["system_admin"])))
    desk.admin.ok("POST", "/api/v1/roles", {"name": "watcher", "grants": ["market:read"]})
    strong, weak = key(desk, roles=["admin"]), key(desk, roles=["watcher"])
    for identity in ("user:admin", f"key:{strong['id']}"):
        manager.refused("forbidden", "POST", "/api/v1/mappings", {"match": "dns:x.example", "identity": identity})
    m = manager.ok("POST", "/api/v1/mappings", {"match": "dns:x.example", "identity": f"key:{weak['id']}"})
    manager.ok("DELETE", f"/api/v1/mappings/{m['id']}")
    viewer = desk.api(desk.login(person(desk)))
    viewer.refused("forbidden", "POST", "/api/v1/mappings", {"match": "dns:x.example", "identity": f"key:{weak['id']}"})
    viewer.refused("forbidden", "GET", "/api/v1/mappings")


@pytest.mark.parametrize("match, identity, code, where", [
    ("dns:*.desk.example", "user:admin", "bad-value", "/match"),
    ("cn:admin", "user:admin", "bad-value", "/match"),
    ("sha256:abcd", "user:admin", "bad-value", "/match"),
    ("gid:0", "user:admin", "bad-value", "/match"),
    ("gid:07", "user:admin", "bad-value", "/match"),
    ("gid:4294967295", "user:admin", "bad-value", "/match"),
    ("gid:1000", "user:admin", "bad-value", "/identity"),
    ("dns:x.example", "admin", "bad-value", "/identity"),
    ("dns:x.example", "user:nobody-here", "bad-value", "/identity"),
    ("dns:x.example", "key:0123456789abcdef", "bad-value", "/identity"),
])
def test_what_can_not_be_mapped(desk, match, identity, code, where):
    a = desk.admin.refused(code, "POST", "/api/v1/mappings", {"match": match, "identity": identity})
    assert a.json["pointer"] == where, a


def test_the_record_and_a_restart(desk, ca):
    k = key(desk)
    path, _ = ca.make(x509.DNSName("kept.desk.example"))
    m = mapped(desk, "dns:kept.desk.example", f"key:{k['id']}")
    desk.admin.refused("exists", "POST", "/api/v1/mappings", {"match": "dns:KEPT.desk.example", "identity": "user:admin"})
    made = desk.admin.ok("GET", "/api/v1/audit/records?type=MAPPING_CREATED&limit=1")["records"][0]
    assert made["what"]["resource"] == f"key:{k['id']}" and made["what"]["detail"] == "dns:kept.desk.example"
    desk.kill("front")
    desk.admin.close()
    desk.serving()
    assert me(Certified(desk, path)).json["key_id"] == k["id"]
    desk.admin.ok("DELETE", f"/api/v1/mappings/{m}")
    desk.kill("front")
    desk.admin.close()
    desk.serving()
    assert me(Certified(desk, path)).code == "unauthenticated"
    assert desk.admin.call("DELETE", f"/api/v1/mappings/{m}").code == "not-found"


def test_pages_and_the_command_line(desk):
    k = key(desk)
    made = {desk.cli_json("mapping", "create", f"dns:page-{i}.example", f"key:{k['id']}", "--comment", "a page")["id"]
            for i in range(5)}
    found, after = [], ""
    while True:
        page = desk.admin.ok("GET", f"/api/v1/mappings?limit=2{after}")
        found += [m["id"] for m in page["mappings"]]
        if "next" not in page:
            break
        after = f"&after={page['next']}"
    assert made <= set(found) and found == sorted(found) and len(found) == len(set(found))
    assert "dns:page-3.example" in desk.cli("mapping", "list").stdout
    for m in made:
        desk.cli("mapping", "delete", m, "--yes")
    assert not made & {m["id"] for m in desk.admin.ok("GET", "/api/v1/mappings?limit=500")["mappings"]}


def test_an_end_is_seen_by_every_thread_once_it_is_answered(desk, ca):
    k = key(desk)
    path, _ = ca.make(x509.DNSName("threads.desk.example"))
    for _ in range(5):
        m = mapped(desk, "dns:threads.desk.example", f"key:{k['id']}")
        apis = [Certified(desk, path) for _ in range(8)]
        assert {me(a).status for a in apis} == {200}
        desk.admin.ok("DELETE", f"/api/v1/mappings/{m}")
        assert {me(a).code for a in apis} == {"unauthenticated"}


# --- revocation lists, and files that are wrong


def test_revocation_lists(new_server, tmp_path):
    ca = Authority(tmp_path)
    lists = tmp_path / "revoked.pem"
    good, _ = ca.make(x509.DNSName("good.example"))
    bad_one, revoked = ca.make(x509.DNSName("bad.example"))
    lists.write_bytes(ca.revoke())
    s = new_server(config={"tls": {"client_ca": ca.file, "client_crl": lists}})
    s.begin()
    k = key(s)
    for name in ("good", "bad"):
        mapped(s, f"dns:{name}.example", f"key:{k['id']}")

    def reload():
        front = s.child("front")
        s.process.send_signal(signal.SIGHUP)
        s.child("front", other_than=front)
        s.serving()

    assert (me(Certified(s, good)).status, me(Certified(s, bad_one)).status) == (200, 200)
    lists.write_bytes(ca.revoke(revoked))
    reload()
    assert (me(Certified(s, good)).status, me(Certified(s, bad_one)).code) == (200, "bad-credentials")
    for n, bad in enumerate((b"half a li", Authority(tmp_path, "Other CA").revoke(), ca.revoke(revoked)[:200])):
        lists.write_bytes(bad)
        front = s.child("front")
        s.process.send_signal(signal.SIGHUP)
        until("its refusal", lambda n=n: s.log(1000).count("was not taken over") == n + 1)
        assert s.child("front") == front  # the list of before counts on
        assert (me(Certified(s, good)).status, me(Certified(s, bad_one)).code) == (200, "bad-credentials")
    lists.write_bytes(ca.revoke(revoked, ends=-MINUTE))  # too old to know
    reload()
    assert (me(Certified(s, good)).code, me(Certified(s, bad_one)).code) == ("bad-credentials", "bad-credentials")
    assert s.api(s.login()).ok("GET", "/api/v1/session")["name"] == "admin"  # who shows none is not touched


def test_a_list_without_an_authority_stops_the_start(new_server, tmp_path):
    lists = tmp_path / "revoked.pem"
    lists.write_bytes(Authority(tmp_path).revoke())
    s = new_server(config={"tls": {"client_crl": lists}})
    with pytest.raises(Failed):
        s.start()
    assert "tls.client_crl" in s.log()


# --- Unix groups


AS_GROUP = """
import http.client, json, os, socket, sys
uid, gid, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([]); os.setgid(gid); os.setuid(uid)
s = socket.socket(socket.AF_UNIX); s.connect(path)
c = http.client.HTTPConnection("localhost"); c.sock = s
c.request("GET", "/api/v1/session")
r = c.getresponse()
print(json.dumps([r.status, json.loads(r.read())]))
"""


def as_group(desk, uid, gid):
    import json
    import subprocess
    import sys
    assert os.getuid() == 0, "only root can become others"
    r = subprocess.run([sys.executable, "-c", AS_GROUP, str(uid), str(gid), desk.unix_socket], capture_output=True, text=True,
                       timeout=20)
    assert r.returncode == 0, r.stderr
    return json.loads(r.stdout)


def test_a_unix_group_stands_for_a_key(desk):
    of_group, own = key(desk), key(desk, unix_uid=61001)
    assert as_group(desk, 61000, 62000)[0] == 401
    m = mapped(desk, "gid:62000", f"key:{of_group['id']}")
    status, who = as_group(desk, 61000, 62000)
    assert (status, who["way"], who["key_id"], who["actor"]) == (200, "unix-user", of_group["id"], "unix:61000")
    assert as_group(desk, 61001, 62000)[1]["key_id"] == own["id"]  # his own key comes first
    desk.admin.ok("POST", f"/api/v1/keys/{own['id']}/suspend")
    assert as_group(desk, 61001, 62000)[0] == 401  # and its suspension can't be gone round
    assert as_group(desk, 61000, 62001)[0] == 401
    desk.admin.ok("DELETE", f"/api/v1/mappings/{m}")
    assert as_group(desk, 61000, 62000)[0] == 401
