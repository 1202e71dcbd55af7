"""Chromium with an authenticator of its own: drives any page that uses passkeys, by ChromeDriver's W3C WebDriver commands
(https://www.w3.org/TR/webauthn-3/#sctn-automation). Serves nothing itself."""
import base64
import contextlib
import hashlib
import pathlib
import shutil
import subprocess
import tempfile

import requests
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from server import Failed, free_port, until

OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
           "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings", "--host-resolver-rules=MAP * 127.0.0.1")


def spki_pin(certificate_pem):
    """What Chromium takes a certificate by that no authority vouches for; a page with a certificate error may use no passkeys."""
    key = x509.load_pem_x509_certificate(pathlib.Path(certificate_pem).read_bytes()).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def to_url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """A virtual authenticator. What it asks its user is answered as `consenting` and `verified` say."""

    def __init__(self, browser, path):
        self.browser, self.path = browser, path

    def credentials(self):
        """As WebDriver tells them: credentialId, isResidentCredential, rpId, privateKey, userHandle, signCount."""
        return self.browser.get(f"{self.path}/credentials")

    def add(self, credential):
        """A credential of another authenticator: a copy, with everything that makes it work."""
        self.browser.post(f"{self.path}/credential", credential)

    def verified(self, yes):
        self.browser.post(f"{self.path}/uv", {"isUserVerified": yes})

    def remove(self):
        """Unplugs it; a second time does nothing."""
        if self.path:
            self.browser.delete(self.path)
        self.path = None


class Browser:
    """One Chromium, in a profile of its own that goes with it. `trust`: certificates (PEM files) that it is to take."""

    def __init__(self, trust=()):
        self.home = tempfile.mkdtemp(prefix="holdfast-browser-")
        self.log = open(f"{self.home}/driver.log", "wb")
        self.session = self.driver = None
        try:
            self.port = free_port()
            self.driver = subprocess.Popen(["chromedriver", f"--port={self.port}"], stdout=self.log, stderr=self.log, cwd=self.home)
            until("chromedriver answers", self._ready, 30)
            pins = [f"--ignore-certificate-errors-spki-list={','.join(map(spki_pin, trust))}"] if trust else []
            options = {"binary": shutil.which("chromium"), "args": [*OPTIONS, *pins, f"--user-data-dir={self.home}/profile"]}
            made = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": options, "timeouts": {"script": 20000, "pageLoad": 20000}}}})
            self.session = f"/session/{made['sessionId']}"
        except BaseException:
            self.close()
            raise

    def _ready(self):
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self.port}/status", timeout=5).json()["value"]["ready"]
        return False

    def _call(self, method, path, body=None):
        answer = requests.request(method, f"http://127.0.0.1:{self.port}{path}", json=body, timeout=60).json()["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(f"{method} {path}: {answer['error']}: {answer.get('message', '')}")
        return answer

    def get(self, path):
        return self._call("GET", self.session + path)

    def post(self, path, body):
        return self._call("POST", self.session + path, body)

    def delete(self, path):
        return self._call("DELETE", self.session + path)

    def close(self):
        if self.session:
            with contextlib.suppress(Failed, requests.RequestException):
                self.delete("")
        if self.driver:
            self.driver.terminate()
            try:
                self.driver.wait(10)
            except subprocess.TimeoutExpired:
                self.driver.kill()
                self.driver.wait()
        self.log.close()
        shutil.rmtree(self.home, ignore_errors=True)

    # --- the page

    def open(self, url):
        self.post("/url", {"url": url})

    def url(self):
        return self.get("/url")

    def find(self, css):
        """An element, as click, fill and text take it; waits until it is there."""
        def there():
            with contextlib.suppress(Failed):
                return next(iter(self.post("/element", {"using": "css selector", "value": css}).values()))
        return until(f"an element {css}", there)

    def click(self, css):
        self.post(f"/element/{self.find(css)}/click", {})

    def fill(self, css, text):
        element = self.find(css)
        self.post(f"/element/{element}/clear", {})
        self.post(f"/element/{element}/value", {"text": text})

    def text(self, css):
        return self.get(f"/element/{self.find(css)}/text")

    def run(self, script, *arguments):
        """The body of an async function of the page; its result as JSON has it. Failed with what it throws."""
        wrapped = f"""const done = arguments[arguments.length - 1], args = Array.from(arguments).slice(0, -1);
            (async (...args) => {{ {script} }})(...args).then(v => done({{value: v}}), e => done({{thrown: String(e)}}));"""
        answer = self.post("/execute/async", {"script": wrapped, "args": list(arguments)})
        if "thrown" in answer:
            raise Failed(answer["thrown"])
        return answer.get("value")

    # --- authenticators

    def authenticator(self, protocol="ctap2", transport="usb", passkeys=True, verifies=True, verified=True, **more):
        """protocol: ctap1/u2f or ctap2; passkeys: keeps credentials that need no name; verifies: has a PIN or a finger
        to ask for; verified: it is the right one. More: W3C's other properties, such as defaultBackupEligibility."""
        made = self.post("/webauthn/authenticator", {
            "protocol": protocol, "transport": transport, "hasResidentKey": passkeys, "hasUserVerification": verifies,
            "isUserConsenting": True, "isUserVerified": verified, **more})
        return Authenticator(self, f"/webauthn/authenticator/{made}")
