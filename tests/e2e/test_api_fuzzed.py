"""A running node under what its OpenAPI document allows, and under what it forbids: never a fault of ours."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from proxy.admin.openapi.files import FILE_OPERATIONS
from proxy.admin.openapi.operations import OPERATIONS
from tests.e2e.node import example_backend, serving, write_example
from tests.e2e.program import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.node import Node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODES = ("positive", "negative")
ARE_KNOWN = st.sampled_from([True, True, True, False])
# Only what takes a query or a body can be asked wrongly.
ASKED = [
    (*key, mode)
    for key, each in {**OPERATIONS, **FILE_OPERATIONS}.items()
    for mode in MODES
    if mode == "positive" or each.query or each.body
]
EXAMPLES = 25  # of each operation and mode: the whole takes half a minute


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node before both example backends that has seen some of their differences."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with ExitStack() as stack:
        urls = [stack.enter_context(example_backend(f"{side}_backend", folder)) for side in ("legacy", "new")]
        node = stack.enter_context(serving(write_example(folder, *urls), folder))
        with httpx.Client(base_url=node.url, trust_env=False) as users:
            users.post("/api/session", json={"username": "reader01", "password": "paper-boat-01"}).raise_for_status()
            for number in range(10):
                users.get("/api/feeds/7", headers={"x-user-id": str(number)}).raise_for_status()
        until(lambda: node.get("diffs"), "a difference", within_s=20)
        yield node


@pytest.fixture(scope="module")
def api(node: Node) -> Any:
    return schemathesis.openapi.from_url(f"{node.admin_url}/api/openapi.json")


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_operation_answers_as_described(node: Node, api: Any, method: str, path: str, mode: str):
    """No 500, no status, type or shape that the document doesn't name; what it forbids is refused."""
    known = {"name": "feeds", "id": node.get("diffs")[0]["id"]}
    operation = api[path][method]
    checks = CHECKS if mode == "positive" else [*CHECKS, negative_data_rejection]
    parameters = [each for each in known if f"{{{each}}}" in path]

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True
    )
    @given(data=st.data())
    def ask(data: st.DataObject) -> None:
        case = data.draw(operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        if data.draw(ARE_KNOWN) and parameters:
            case.path_parameters = {each: known[each] for each in parameters}
        is_empty = has_empty_value(case)  # counts as not given
        case.call_and_validate(base_url=node.admin_url, checks=CHECKS if is_empty else checks, timeout=30)

    ask()
    assert node.is_ready()


def has_empty_value(case: Any) -> bool:
    """Whether the query, as it is sent, has one: an object or a list without members is written as nothing, too."""
    asked = {name: value for name, value in case.as_transport_kwargs().items() if name in {"method", "url", "params"}}
    url = requests.Request(**{**asked, "url": f"http://localhost{asked['url']}"}).prepare().url or ""
    sent = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return "" in sent.values() or not sent.keys() >= (case.query or {}).keys()
