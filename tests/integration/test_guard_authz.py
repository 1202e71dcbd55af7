"""The verdict in the words of proxies that Debian does not package: exactly what each sends, by its documentation, over raw
sockets. And that of Authelia's nginx configuration, by a real nginx."""
import contextlib
import re
import socket
import ssl

import pytest

import server as holdfast
from guarded import application_behind, bearer, newest, nginx_with, seen
from server import SOURCE

ENDPOINTS = """[
    {path: /, permission: public, methods: [GET]},
    {path: /whoami, permission: authenticated},
    {path: /dav, methods: [PROPFIND, MKCOL], permission: authenticated},
    {path: /api/v1/execute, methods: [POST], permission: mev:execute},
    {path: /api/v1, permission: system:config}]"""
REMOTE = ("remote-user", "remote-groups", "remote-name", "remote-email")


def authelia(desk, proxy):
    """nginx as Authelia's documentation configures it, with the address of Holdfast in place of Authelia's."""
    return nginx_with(proxy, f"""
            server {{
                listen 127.0.0.1:{proxy.port};
                location /internal/authz {{
                    internal;
                    proxy_pass http://unix:{desk.unix_socket}:/api/authz/auth-request;
                    proxy_set_header X-Original-Method $request_method;
                    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
                    proxy_set_header X-Forwarded-For $remote_addr;
                    proxy_set_header Content-Length "";
                    proxy_set_header Connection "";
                    proxy_pass_request_body off;
                    proxy_http_version 1.1;
                }}
                location / {{
                    auth_request /internal/authz;
                    auth_request_set $user $upstream_http_remote_user;
                    auth_request_set $groups $upstream_http_remote_groups;
                    proxy_set_header Remote-User $user;
                    proxy_set_header Remote-Groups $groups;
                    proxy_pass http://{desk.application.address};
                }}
            }}""")


@pytest.fixture(scope="module")
def desk():
    s = holdfast.Server(config={"guard": {"proxies": "[unix, 127.0.0.1]", "networks": "{allow: [127.0.0.0/8, 203.0.113.0/24]}",
                                          "endpoints": ENDPOINTS}})
    with application_behind(s, {"authelia": authelia}):
        s.nginx = s.proxies["authelia"]
        yield s


def raw(sock, lines, body=b""):
    """Sends a head as it stands; status and headers of the answer."""
    with contextlib.closing(sock):
        sock.settimeout(10)
        sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            assert piece, (lines, data)
            data += piece
    head = data.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return int(head[0].split()[1]), {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}


# --- Envoy: extensions.filters.http.ext_authz.v3, over HTTP. Its own method and path, the latter behind path_prefix; Host and
# Authorization always, Content-Length, of the client's headers those that allowed_headers names, and with with_request_body its body
# and whether there is more of it.


def envoy(desk, method, target, headers=(), client="203.0.113.9", prefix="/api/v1/guard/envoy", body=None, more=False):
    s = socket.socket(socket.AF_UNIX)
    s.connect(desk.unix_socket)
    partial = [f"x-envoy-auth-partial-body: {str(more).lower()}"] if body else []
    return raw(s, [f"{method} {prefix}{target} HTTP/1.1", "host: desk.example", f"content-length: {len(body or b'')}", *headers, *partial,
                   "x-envoy-internal: true", f"x-forwarded-for: {client}", "x-forwarded-proto: https", "x-envoy-expected-rq-timeout-ms: 2000"],
               body or b"")


def auth(token):
    return [f"authorization: Bearer {token}"]


@pytest.mark.parametrize("prefix", ["/api/v1/guard/envoy", "/api/authz/ext-authz"])
def test_envoy_gets_a_verdict_by_its_own_method_and_path(desk, prefix):
    status, headers = envoy(desk, "GET", "/whoami?x=1&x=2", auth(desk.token), prefix=prefix)
    assert status == 200 and [headers[h] for h in REMOTE] == ["admin", "admin", "admin", ""]
    r = newest(desk, "REQUEST_ALLOWED")
    assert r["what"]["resource"] == "endpoint:GET /whoami" and r["who"]["source"] == "203.0.113.9"
    status, headers = envoy(desk, "GET", "/", prefix=prefix)
    assert status == 200 and [headers[h] for h in REMOTE] == [""] * 4
    for method, target, token, want, code in (
            ("POST", "/api/v1/execute", desk.token, 403, "forbidden"), ("GET", "/api/v1/execute", desk.token, 403, "method-not-named"),
            ("DELETE", "/api/v1/x", desk.token, 200, "allowed"), ("PATCH", "/api/v1/x", desk.token, 200, "allowed"),
            ("PUT", "/api/v1/x/", desk.token, 200, "allowed"), ("OPTIONS", "/api/v1/x", desk.token, 200, "allowed"),
            ("HEAD", "/whoami", desk.token, 200, "allowed"), ("PROPFIND", "/dav/x", desk.token, 200, "allowed"),
            ("PROPPATCH", "/dav/x", desk.token, 403, "method-not-named"), ("GET", "/whoami", None, 401, "unauthenticated"),
            ("GET", "/a;b", desk.token, 403, "path-ambiguous"), ("GET", "/a/%252e", desk.token, 403, "path-ambiguous")):
        status, headers = envoy(desk, method, target, auth(token) if token else (), prefix=prefix)
        assert (status, headers.get("x-holdfast-verdict")) == (want, code), (method, target)
    assert newest(desk, "REQUEST_ALLOWED")["what"]["resource"] == "endpoint:PROPFIND /dav/x"


ATTACK = b"note=1' union select password from users--"
FORM, JSON = ["content-type: application/x-www-form-urlencoded"], ["content-type: application/json"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "GET", "OPTIONS", "HEAD"])
def test_bodies_that_envoy_sends_along_are_searched(desk, method):
    """Also those of methods where a body means nothing by itself: to the application it may, as to some search engines."""
    for headers, body, more, want, code in (
            (JSON, b'{"query": {"match_all": {}}}', False, 200, "allowed"),
            (FORM, ATTACK, False, 403, "attack-pattern"),
            (JSON, b'{"a": "x", "b": ["' + ATTACK + b'"]}', False, 403, "attack-pattern"),
            (JSON, b'{"a": "' + b"x" * 60000, True, 403, "not-inspected"),
            (FORM, b"a=" + b"x" * 65535, False, 403, "not-inspected"),  # all that Envoy holds, which does not always say that there is more
            (JSON + ["content-encoding: gzip"], b"\x1f\x8b\x08", False, 415, "unsupported-media-type")):
        status, answer = envoy(desk, method, "/api/v1/x", auth(desk.token) + headers, body=body, more=more)
        assert (status, answer["x-holdfast-verdict"]) == (want, code), body[:60]


def test_a_body_of_a_get_is_no_second_request(desk):
    """Its bytes belong to it, and what follows them is a request; nowhere else is such a body read at all."""
    hidden = b"GET /api/v1/guard/envoy/api/v1/x HTTP/1.1\r\nhost: a\r\n\r\n"
    last = b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    for path, status in (("/api/v1/guard/envoy/", [b"200", b"200"]), ("/api/v1/guard/verdict", [b"400"]), ("/api/v1/health", [b"400"]),
                         ("/nowhere", [b"400"])):
        for framing, body in ((f"content-length: {len(hidden)}", hidden), ("transfer-encoding: chunked", chunked)):
            head = f"GET {path} HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.9\r\n{framing}\r\n\r\n".encode()
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
                s.connect(desk.unix_socket)
                s.settimeout(10)
                s.sendall(head + body + last)
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    while piece := s.recv(65536):
                        got += piece
            assert [line.split()[1] for line in got.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")] == status, (path, framing, got)


def test_what_envoy_asks_about_in_two_readings_is_refused(desk):
    for target in ("/../x", "/%2e%2e/api", "//whoami", "/a%2fb", "/a%00", "/a\\b", "", "*"):
        status, headers = envoy(desk, "GET", target, auth(desk.token))
        assert status in (400, 403, 404) and not set(REMOTE) & set(headers), target


def test_envoy_is_told_what_must_not_go_on(desk):
    _, headers = envoy(desk, "GET", "/whoami", auth(desk.token))
    gone = headers["x-envoy-auth-headers-to-remove"].split(", ")
    assert {"authorization", "x-api-key", "remote_user", "x-original-url"} <= set(gone) and "cookie" not in gone
    _, headers = envoy(desk, "GET", "/", ["cookie: a=1; __Host-holdfast=nobody"])
    assert "cookie" in headers["x-envoy-auth-headers-to-remove"].split(", ")


def test_a_client_of_envoy_says_nothing_for_himself(desk):
    """What allowed_headers might let through of the other ways to ask is not looked at; addresses count from the right."""
    lies = ["x-original-method: GET", "x-original-uri: /", "x-forwarded-method: GET", "x-forwarded-uri: /", "x-real-ip: 127.0.0.9"]
    status, headers = envoy(desk, "POST", "/api/v1/execute", auth(desk.token) + lies, client="127.0.0.9, 203.0.113.7")
    assert (status, headers["x-holdfast-verdict"]) == (403, "forbidden")
    assert newest(desk, "PERMISSION_DENIED")["who"]["source"] == "203.0.113.7"
    assert envoy(desk, "GET", "/whoami", auth(desk.token), client="203.0.113.7, 198.51.100.1")[1]["x-holdfast-verdict"] == "address-not-allowed"


def test_a_key_s_rules_may_name_any_method(desk):
    rules = {"allowed_endpoints": ["PROPFIND /dav", "GET /whoami"]}
    made = desk.admin.ok("POST", "/api/v1/keys", {"name": "dav", "roles": ["viewer"], "environment": "development", "usage": "read_write", **rules})
    for method, target, want in (("PROPFIND", "/dav/a", 200), ("MKCOL", "/dav/a", 403), ("GET", "/whoami", 200), ("PUT", "/whoami", 403)):
        status, headers = envoy(desk, method, target, auth(made["key"]))
        assert status == want, (method, headers)
        forwarded = {"X-Forwarded-Method": method, "X-Forwarded-Uri": target, "X-Forwarded-For": "203.0.113.9"}
        assert desk.api(made["key"], unix=True).call("GET", "/api/v1/guard/verdict", headers=forwarded).status == want


def test_a_proxy_must_name_its_client(desk):
    a = desk.api().call("GET", "/api/v1/guard/envoy/whoami", headers={"X-Forwarded-For": "203.0.113.9"})
    assert a.status == 401  # 127.0.0.1 is a proxy, and the path is known
    assert desk.api().call("GET", "/api/v1/guard/envoy/whoami").code == "address-unreadable"


# --- Traefik: middlewares/http/forwardauth, trustForwardHeader false. GET to the address; the client's headers but for hop-by-hop
# ones, and X-Forwarded-* that Traefik sets itself.


def traefik(desk, method, uri, headers=(), client="203.0.113.9"):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(desk.data / "tls" / "server.crt")
    s = tls.wrap_socket(socket.create_connection(("127.0.0.1", desk.port)), server_hostname="localhost")
    return raw(s, ["GET /api/authz/forward-auth HTTP/1.1", f"Host: localhost:{desk.port}", "User-Agent: curl/8.5.0", *headers,
                   "Accept: */*", "Accept-Encoding: gzip", f"X-Forwarded-For: {client}", "X-Forwarded-Host: desk.example",
                   f"X-Forwarded-Method: {method}", "X-Forwarded-Port: 443", "X-Forwarded-Proto: https", "X-Forwarded-Server: traefik",
                   f"X-Forwarded-Uri: {uri}", f"X-Real-Ip: {client}"])


def test_traefik_gets_a_verdict(desk):
    status, headers = traefik(desk, "GET", "/whoami?x=1", [f"Authorization: Bearer {desk.token}"])
    assert status == 200 and [headers[h] for h in REMOTE] == ["admin", "admin", "admin", ""]
    assert newest(desk, "REQUEST_ALLOWED")["who"]["source"] == "203.0.113.9"
    for method, uri, headers, want, code in (
            ("GET", "/", (), 200, "allowed"), ("GET", "/whoami", (), 401, "unauthenticated"),
            ("POST", "/api/v1/execute", auth(desk.token), 403, "forbidden"),
            # What the client says in the words of other proxies comes along, and is not looked at.
            ("POST", "/api/v1/execute", [*auth(desk.token), "X-Original-Uri: /", "X-Original-Method: GET", "X-Original-Url: https://x/"], 403, "forbidden"),
            ("PROPFIND", "/dav/x", auth(desk.token), 200, "allowed")):
        status, got = traefik(desk, method, uri, headers)
        assert (status, got["x-holdfast-verdict"]) == (want, code), (method, uri)


# --- Authelia's nginx configuration, unchanged but for the address


def test_a_desk_that_had_authelia_changes_one_address(desk):
    got = seen(desk.nginx.ask("GET", "/whoami?x=1", bearer(desk.token)))
    assert (got["remote-user"], got["remote-groups"]) == ("admin", "admin")
    assert newest(desk, "REQUEST_ALLOWED")["who"]["source"] == "127.0.0.1"
    assert desk.nginx.ask("GET", "/whoami")[0] == 401
    assert desk.nginx.ask("POST", "/api/v1/execute", bearer(desk.token), b"{}")[0] == 403
    assert desk.nginx.ask("GET", "/status/%2e%2e/whoami", bearer(desk.token))[0] == 403


def test_an_original_url_that_is_none_is_refused(desk):
    for url in ("/whoami", "ftp://desk/whoami", "https:/whoami", "https://", "https://desk.example", "https://desk.example?x"):
        a = desk.api(desk.token, unix=True).call("GET", "/api/authz/auth-request", headers={
            "X-Original-Method": "GET", "X-Original-URL": url, "X-Forwarded-For": "127.0.0.1"})
        assert a.code in ("request-unnamed", "path-ambiguous"), (url, a)


def test_the_files_of_the_documentation_name_these_addresses():
    envoy_file = (SOURCE / "docs/proxies/envoy.yaml").read_text()
    assert "path_prefix: /api/v1/guard/envoy" in envoy_file and "failure_mode_allow: false" in envoy_file
    held = int(re.search(r"with_request_body: .max_request_bytes: (\d+), allow_partial_message: true", envoy_file)[1])
    assert 65536 < held <= 262144, "a body that fills Envoy's room must be longer than what the guard looks at, and no longer than what it reads"
    assert {"content-type", "content-encoding"} <= set(re.findall(r"exact: ([a-z-]+)", envoy_file))
    assert "/api/authz/forward-auth" in (SOURCE / "docs/proxies/traefik.yaml").read_text()
    for name in REMOTE:
        assert f"exact: {name}" in envoy_file
