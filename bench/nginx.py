"""nginx as the bench runs it, as an origin and as a contender: no log, all files in one folder."""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.children import Child, find_program, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.certificate import Certificate

MISSING_NGINX = "nginx is not installed: apt-get install nginx-light"

# keepalive_requests: the default of 1000 would close a busy connection several times a second, for every role.
# tcp_nodelay and proxy buffering are on by default. Temporary folders are named because the compiled-in ones
# belong to the system's nginx.
FRAME = """\
{user}daemon off;
worker_processes {workers};
pid nginx.pid;
error_log stderr warn;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{http}
}}
"""


def render_config(http: str, *, workers: int = 1) -> str:
    """A whole nginx.conf around the directives of its http block."""
    return FRAME.format(user=_user_line(), workers=workers, http=http)


@contextmanager
def started_nginx(name: str, http: str, *, cores: Sequence[int], folder: Path, workers: int = 1) -> Iterator[Child]:
    """A running nginx with `folder` as its prefix; the caller waits until it answers."""
    config = folder / f"{name}.conf"
    config.write_text(render_config(http, workers=workers))
    command = [str(find_program("nginx")), "-p", f"{folder}/", "-e", "stderr", "-c", str(config)]
    with started(name, command, cores=cores, folder=folder) as child:
        yield child


def render_tls(certificate: Certificate | None) -> str:
    """The rest of a `listen` line and the directives behind it, up to the last semicolon; empty without TLS."""
    if certificate is None:
        return ""
    return f" ssl;\n        ssl_certificate {certificate.chain};\n        ssl_certificate_key {certificate.key}"


def nginx_version() -> str:
    said = subprocess.run([str(find_program("nginx")), "-v"], capture_output=True, text=True, timeout=10, check=False)
    found = re.search(r"nginx/(\S+)", said.stderr)
    return f"nginx {found[1]}" if found else "nginx (unknown version)"


def _user_line() -> str:
    # Only root's nginx changes the worker's user, to one that couldn't enter the private temporary folder.
    if os.geteuid() != 0:
        return ""
    return f"user {pwd.getpwuid(0).pw_name} {grp.getgrgid(0).gr_name};\n"
