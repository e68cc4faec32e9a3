"""nginx as a reverse proxy, and with its mirror module, set up as its documentation advises.

Keep-alive to the upstreams needs HTTP/1.1, an empty Connection header and a `keepalive` pool:
https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive
Mirroring: https://nginx.org/en/docs/http/ngx_http_mirror_module.html
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from bench.children import find_free_port, find_program
from bench.contenders.contender import Contender, Place, Target
from bench.fetch import is_answering
from bench.nginx import MISSING_NGINX, nginx_version, render_tls, started_nginx

if TYPE_CHECKING:
    from collections.abc import Iterator

MIRROR_DIRECTIVES = """\
            mirror /mirror;
            mirror_request_body {body};
"""

# The variable is the documentation's own way to keep the original path; the group's name needs no resolver.
MIRROR_LOCATION = """\
        location = /mirror {
            internal;
            proxy_pass http://mirror_origin$request_uri;
        }
"""


def render_proxy(place: Place, port: int, *, mirrors: bool) -> str:
    """The http directives of a proxy that passes to the serving origin and, if asked, mirrors to the other."""
    has_body, is_spread = place.scenario.body_bytes > 0, place.scenario.workers > 1
    # Connections fall evenly on several workers with a socket for each; a long answer never goes through a file.
    listen = f"127.0.0.1:{port}{' reuseport' if is_spread else ''}{render_tls(place.certificate)}"
    mirror = MIRROR_DIRECTIVES.format(body="on" if has_body else "off") if mirrors else ""
    return f"""
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffers 32 64k;
    proxy_max_temp_file_size 0;
    client_body_buffer_size 1m;
{_render_upstream("serving_origin", place.origins.serving_port)}
{_render_upstream("mirror_origin", place.origins.equal_port)}
    server {{
        listen {listen};
        location / {{
{mirror}\
            proxy_pass http://serving_origin;
        }}
{MIRROR_LOCATION if mirrors else ""}\
    }}
"""


def _render_upstream(name: str, port: int) -> str:
    return f"""\
    upstream {name} {{
        server 127.0.0.1:{port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}"""


@contextmanager
def _start(place: Place, *, mirrors: bool) -> Iterator[Target]:
    port = find_free_port()
    http, workers = render_proxy(place, port, mirrors=mirrors), place.scenario.workers
    with started_nginx("nginx", http, cores=place.cores, folder=place.folder, workers=workers) as child:
        child.wait_until(lambda: is_answering(port, "/", place.authority))
        yield Target(port, child.pid)


def _find_missing() -> str | None:
    return None if find_program("nginx") else MISSING_NGINX


PASS = Contender(
    name="nginx-pass",
    family="nginx",
    title="nginx",
    work="pass",
    find_missing=_find_missing,
    read_version=nginx_version,
    start=partial(_start, mirrors=False),
)
MIRROR = Contender(
    name="nginx-mirror",
    family="nginx",
    title="nginx, `mirror`",
    work="mirror",
    find_missing=_find_missing,
    read_version=nginx_version,
    start=partial(_start, mirrors=True),
)
