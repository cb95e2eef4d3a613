"""The topology that all tests of the chaos suite share, and the summary of what happened to it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudmart.deploy.local.sessions import members
from tests.chaos.nodes import behind_proxy
from tests.chaos.report import REPORT
from tests.chaos.shop import NODES, SECONDS, SEED, Shop, open_shop


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.chaos)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section(f"chaos (CHAOS_SECONDS={SECONDS:g} CHAOS_SEED={SEED})")
    for line in REPORT:
        terminalreporter.line(line)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with ExitStack() as stack:
        options = ["--database-url", stack.enter_context(behind_proxy(NODES))] if NODES else []
        shop = stack.enter_context(open_shop(tmp_path_factory.mktemp("chaos"), *options))
        yield shop
        components = shop.topology.components()
    left_behind = [component.name for component in components if members(component.pid)]
    assert left_behind == []
