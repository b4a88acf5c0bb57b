"""A whole site over HTTPS: with a certificate of its own, or behind a real nginx."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import requests
import urllib3
from django.conf import settings
from websockets.sync.client import connect

from tests.waiting import wait_for

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
UNCHECKED = ssl.create_default_context()
UNCHECKED.check_hostname, UNCHECKED.verify_mode = False, ssl.CERT_NONE
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Nginx:
    """deploy/nginx.conf with other ports and the certificate given, as this user, in a folder."""

    def __init__(self, folder: Path, upstream: int, certificate: Path, key: Path) -> None:
        self.folder, self.port, self.plain = folder, free_port(), free_port()
        text = (settings.BASE_DIR / "deploy" / "nginx.conf").read_text()
        live = "/etc/letsencrypt/live/box.example.org"
        for old, new in (
            ("    listen [::]:80;\n", ""),
            ("    listen [::]:443 ssl;\n", ""),
            ("listen 80;", f"listen 127.0.0.1:{self.plain};"),
            ("listen 443 ssl;", f"listen 127.0.0.1:{self.port} ssl;"),
            (f"{live}/fullchain.pem", str(certificate)),
            (f"{live}/privkey.pem", str(key)),
            ("127.0.0.1:8000", f"127.0.0.1:{upstream}"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        places = "".join(
            f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;"
        folder.mkdir()
        (folder / "nginx.conf").write_text(f"{main} events {{}} http {{ access_log off; {places}\n{text}\n}}")

    def __enter__(self) -> Nginx:
        command = [str(NGINX), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "error.log"]
        self.process = subprocess.Popen(command)
        wait_for(self._listens, 20, "nginx")
        return self

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.folder / "error.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(10)


class Caller:
    """A client of the site under a name, at a port of this machine; it checks no certificate."""

    def __init__(self, port: int, name: str, scheme: str = "https") -> None:
        self.port, self.name, self.scheme = port, name, scheme

    def get(self, path: str, **headers: str) -> requests.Response:
        return self.send("GET", path, headers)

    def send(self, method: str, path: str, headers: dict[str, str], data: object = None) -> requests.Response:
        address = f"{self.scheme}://127.0.0.1:{self.port}{path}"
        named = {"Host": self.name, **headers}
        return requests.request(
            method, address, headers=named, data=data, verify=False, allow_redirects=False, timeout=60
        )

    def socket(self, origin: str, **headers: str):
        """The first message of the WebSocket; raises InvalidStatus if it is refused."""
        with connect(
            f"wss://{self.name}/ws",
            sock=socket.create_connection(("127.0.0.1", self.port)),
            ssl=UNCHECKED,
            server_hostname=self.name.partition(":")[0],
            origin=origin,
            additional_headers=headers,
        ) as live:
            return live.recv(timeout=30)
