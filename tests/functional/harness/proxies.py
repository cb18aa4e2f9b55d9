"""Web servers in front of a daemon, started with the files of ``etc/`` or of ``pypid gen-config``."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import define, field
from harness.certificates import make_certificates
from harness.etc import ETC, substitute
from harness.front_ends import caddy, haproxy
from harness.http import ask
from harness.processes import answers, end, free_port, require_tool, wait_until

_APACHE_MODULES = (
    "mpm_event",
    "authz_core",
    "alias",
    "filter",
    "deflate",
    "headers",
    "reqtimeout",
    "ssl",
    "proxy",
    "proxy_http",
)
_APACHE = """\
ServerRoot {directory}
ServerName 127.0.0.1
DefaultRuntimeDir {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/error.log
User www-data
Group www-data
{modules}
Include /etc/apache2/mods-available/deflate.conf
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
Include {directory}/site.conf
"""
_APACHE_OTHER_SITE = """\
<VirtualHost *:443>
    ErrorLog  /var/log/apache2/pypid.error.log
    CustomLog /var/log/apache2/pypid.access.log combined
    SSLEngine on
    SSLCertificateFile    /etc/ssl/certs/packages.example.org.pem
    SSLCertificateKeyFile /etc/ssl/private/packages.example.org.key
    Redirect permanent /old-wiki https://www.example.org/
%s
</VirtualHost>
"""
_NGINX = """\
user root;
worker_processes 1;
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ }}
http {{
    include /etc/nginx/mime.types;
    gzip on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/site.conf;
}}
"""
_NGINX_PLAIN = """\
server {{
    listen 127.0.0.1:{port};
    access_log off;
    location / {{
        proxy_pass http://127.0.0.1:{backend};
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
}}
"""
_NGINX_OTHER_SITE = """\
server {
    listen 443 ssl;
    server_name packages.example.org;
    access_log /var/log/nginx/pypid.access.log;
    error_log  /var/log/nginx/pypid.error.log;
    ssl_certificate     /etc/ssl/certs/packages.example.org.pem;
    ssl_certificate_key /etc/ssl/private/packages.example.org.key;
    location /old-wiki { return 301 https://www.example.org/; }
%s
}
"""


def sub_path_lines(text: str) -> str:
    """Return the lines of the file for a path of another site, without their comment signs."""
    lines = re.search(r"^# BEGIN sub-path\n(.*?)^# END sub-path\n", text, re.MULTILINE | re.DOTALL)
    assert lines is not None
    return re.sub(r"^#", "", lines[1], flags=re.MULTILINE)


def switched_on(text: str) -> str:
    """Give a file with the lines for sending files without their comment signs, as it says."""
    before, lines, after = re.split(r"^ *# (?:BEGIN|END) offload\n", text, flags=re.MULTILINE)
    return before + re.sub(r"^#", "", lines, flags=re.MULTILINE) + after


@define
class Proxy:
    """A web server with TLS in front of a daemon, at its root or under a path."""

    kind: str
    """``apache``, ``nginx``, ``caddy`` or ``haproxy``."""
    directory: Path
    """Where its configuration, logs and certificates are."""
    prefix: str
    """The path that the index is under, without its first slash and with its last, or empty."""
    plain: bool = False
    """Whether it is the one for an inner network, without TLS."""
    files: Path | None = None
    """The root directory, if the web server is to send files itself."""
    http: int = field(factory=free_port)
    """The port for plain HTTP."""
    https: int = field(factory=free_port)
    """The port for HTTPS."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """The URL of the root of the index, for clients."""
        if self.plain:
            return f"http://127.0.0.1:{self.http}/{self.prefix}"
        return f"https://127.0.0.1:{self.https}/{self.prefix}"

    @property
    def authority(self) -> Path:
        """The certificate of the authority to trust."""
        return self.directory / "authority.pem"

    @property
    def context(self) -> ssl.SSLContext:
        """A TLS context that trusts that authority and no other."""
        return ssl.create_default_context(cafile=str(self.authority))

    def start(self, backend: int) -> None:
        """Start it for a daemon on the port ``backend``, and wait until the daemon answers through it."""
        make_certificates(self.directory)
        ports = (self.http, self.https)
        if self.kind == "apache":
            command = self._apache(backend)
        elif self.kind == "nginx":
            command = self._nginx(backend)
        else:
            command = {"caddy": caddy, "haproxy": haproxy}[self.kind](
                self.directory, self.url, ports, backend
            )
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        wait_until(self._answers, f"{self.url}+health")

    def stop(self) -> None:
        """End it with all of its processes."""
        if self._process is not None:
            process, self._process = self._process, None
            end(process)

    def _apache(self, backend: int) -> list[str]:
        apache = require_tool("apache2", "apt-get install apache2")
        text = (ETC / "apache2" / "pypid.conf").read_text()
        logs = {"/var/log/apache2/": f"{self.directory}/"}
        if self.plain:
            text = (ETC / "apache2" / "pypid-plain.conf").read_text()
            self._write_site(text, {**logs, "*:80>": f"*:{self.http}>"}, backend)
        else:
            if self.prefix:
                text = _APACHE_OTHER_SITE % sub_path_lines(text)
            else:
                text = substitute(text, {"*:80>": f"*:{self.http}>"})
            self._write_site(text, {**logs, "*:443>": f"*:{self.https}>", **self._certificates()}, backend)
        names = [*_APACHE_MODULES, *(["xsendfile"] if self.files is not None else [])]
        modules = "\n".join(
            f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in names
        )
        main = self.directory / "apache2.conf"
        main.write_text(
            _APACHE.format(directory=self.directory, modules=modules, http=self.http, https=self.https)
        )
        return [apache, "-f", str(main), "-DFOREGROUND"]

    def _nginx(self, backend: int) -> list[str]:
        nginx = require_tool("nginx", "apt-get install nginx")
        text = (ETC / "nginx" / "pypid.conf").read_text()
        logs = {"/var/log/nginx/": f"{self.directory}/"}
        if self.plain:
            text = (ETC / "nginx" / "pypid-plain.conf").read_text()
            self._write_site(text, {**logs, "listen 80;": f"listen 127.0.0.1:{self.http};"}, backend)
            return self._nginx_command(nginx)
        if self.prefix:
            pool = text[text.index("upstream pypid {") : text.index("server {")]
            text = pool + _NGINX_OTHER_SITE % sub_path_lines(text)
        else:
            text = substitute(text, {"listen 80;": f"listen 127.0.0.1:{self.http};"})
        ports = {"listen 443 ssl;": f"listen 127.0.0.1:{self.https} ssl;"}
        self._write_site(text, {**ports, **logs, **self._certificates()}, backend)
        return self._nginx_command(nginx)

    def _nginx_command(self, nginx: str) -> list[str]:
        main = self.directory / "nginx.conf"
        main.write_text(_NGINX.format(directory=self.directory))
        return [nginx, "-c", str(main), "-p", str(self.directory), "-e", str(self.directory / "error.log")]

    def _write_site(self, text: str, replacements: Mapping[str, str], backend: int) -> None:
        port = {"127.0.0.1:8080": f"127.0.0.1:{backend}"}
        if self.files is not None:
            text = switched_on(text).replace("/var/pypi", str(self.files))
        (self.directory / "site.conf").write_text(substitute(text, {**replacements, **port}))

    def _certificates(self) -> dict[str, str]:
        return {
            "/etc/ssl/certs/packages.example.org.pem": str(self.directory / "server.pem"),
            "/etc/ssl/private/packages.example.org.key": str(self.directory / "server.key"),
        }

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            said = "\n".join(path.read_text() for path in self.directory.glob("*[!.]o[ug]*"))
            pytest.fail(f"{self.kind} did not start\n{said}")
        try:
            return ask(f"{self.url}+health", context=self.context).status == 200
        except OSError:
            return False


@contextmanager
def plain_nginx(directory: Path, backend: int) -> Iterator[int]:
    """Run nginx without TLS, forwarding client addresses, and yield its port."""
    nginx, port = require_tool("nginx", "apt-get install nginx"), free_port()
    (directory / "site.conf").write_text(_NGINX_PLAIN.format(port=port, backend=backend))
    main, errors = directory / "nginx.conf", directory / "error.log"
    main.write_text(_NGINX.format(directory=directory))
    with (directory / "nginx-output").open("wb") as output:
        process = subprocess.Popen(
            [nginx, "-c", main, "-p", directory, "-e", errors],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/+health"), "nginx answers")
        yield port
    finally:
        end(process)
