"""An application that the guard stands before: real proxies ask it about every request, configured as the documentation shows."""
import contextlib
import http.client
import http.server
import json
import os
import subprocess
import threading

import server as holdfast
from server import SOURCE, until

PROXIES = SOURCE / "docs" / "proxies"


class Application(http.server.ThreadingHTTPServer):
    """Answers each request with what it saw of it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Seen)
        self.count = 0
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass  # a proxy that lets go of a connection


class Seen(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.server.count += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"path": self.path, "headers": self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer

    def log_message(self, *arguments):
        pass


class Proxy:
    """A real proxy before the application, configured as docs/proxies has it."""

    def __init__(self, desk, name, make):
        self.home = desk.home / name
        self.home.mkdir()
        self.port = holdfast.free_port()
        words, env = make(desk, self)
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(words, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.home), **env},
                                            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(f"{name} listens", self.listens)

    def listens(self):
        with contextlib.suppress(OSError):
            return self.ask("GET", "/status")[0]

    def ask(self, method, path, headers=None, body=None):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(c):
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def nginx_with(proxy, http):
    """An nginx of its own folder, with this in its http block."""
    user = "user root;" if os.getuid() == 0 else ""
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    (proxy.home / "nginx.conf").write_text(f"""
        {user}
        worker_processes 1;
        pid {proxy.home}/pid;
        events {{ }}
        http {{
            access_log off;
            {" ".join(f"{k}_temp_path {proxy.home}/{k};" for k in kinds)}
            {http}
        }}""")
    return ["nginx", "-c", proxy.home / "nginx.conf", "-e", "stderr", "-g", "daemon off;"], {}


def nginx(desk, proxy):
    return nginx_with(proxy, f"""
            upstream holdfast {{ server unix:{desk.unix_socket}; keepalive 16; }}
            upstream application {{ server {desk.application.address}; keepalive 16; }}
            server {{
                listen 127.0.0.1:{proxy.port};
                underscores_in_headers on; # the worst case
                include {PROXIES}/nginx.conf;
            }}""")


def caddy(desk, proxy):
    (proxy.home / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\nimport {PROXIES}/Caddyfile\n")
    return (["caddy", "run", "--config", proxy.home / "Caddyfile", "--adapter", "caddyfile"],
            {"HOLDFAST_SITE": f"http://127.0.0.1:{proxy.port}", "HOLDFAST_SOCKET": desk.unix_socket,
             "HOLDFAST_APPLICATION": desk.application.address})


def haproxy(desk, proxy):
    return (["haproxy", "-db", "-f", PROXIES / "haproxy.cfg"],
            {"HOLDFAST_BIND": f"127.0.0.1:{proxy.port}", "HOLDFAST_SOCKET": desk.unix_socket,
             "HOLDFAST_APPLICATION": desk.application.address, "HOLDFAST_LUA": str(PROXIES / "haproxy.lua")})


@contextlib.contextmanager
def application_behind(server, makers, application=Application, **start):
    """The server, with its administrator signed in, guards an application behind a proxy of each maker (by its name), until the
    end: server.application and server.proxies. start: what else begin() is told."""
    server.application = application()
    server.proxies = {}
    try:
        server.begin(**start)
        for name, make in makers.items():
            server.proxies[name] = Proxy(server, name, make)
        yield server
    finally:
        for p in server.proxies.values():
            p.stop()
        server.application.shutdown()
        server.remove()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def records(desk, event, count=50):
    return desk.admin.ok("GET", f"/api/v1/audit/records?type={event}&limit={count}")["records"]


def newest(desk, event):
    return records(desk, event, 1)[0]


def seen(answer):
    """The headers that came to the application, each once."""
    status, _, body = answer
    assert status == 200, answer
    headers = [(k.lower(), v) for k, v in json.loads(body)["headers"]]
    names = [k for k, _ in headers]
    assert len(set(names)) == len(names), headers
    return dict(headers)
