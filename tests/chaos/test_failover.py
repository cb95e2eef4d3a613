"""The primary of a replicated database is killed under load: another node takes over, and no order is lost."""

import time

import pytest

from orders.models import SagaStyle
from tests.chaos.checks import check_everything
from tests.chaos.consumers import check_consumers
from tests.chaos.load import placed_while
from tests.chaos.nodes import kill_node, primary_of
from tests.chaos.report import REPORT, summary
from tests.chaos.shop import NODES, SECONDS

pytestmark = pytest.mark.skipif(not NODES, reason="CHAOS_DATABASE_URLS names no nodes")

BEFORE = 10
"""Seconds of load before the primary is killed."""


def test_a_new_primary_takes_over(shop):
    primary = primary_of(NODES)
    times = []

    def kill_primary(is_over):
        is_over.wait(BEFORE)
        kill_node(primary)
        killed = time.monotonic()
        primary_of([url for url in NODES if url != primary])  # waits for it
        times.append(time.monotonic() - killed)

    orders = placed_while(shop, SagaStyle.values, kill_primary, SECONDS)
    drained = check_everything(shop, orders)
    faults = [f"primary killed, another after {times[0]:.1f} s"]
    REPORT.extend(summary("failover", orders, drained, faults, check_consumers(shop)))
