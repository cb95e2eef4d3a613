"""Every component of the topology is killed or stopped under load, again and again; no order is lost or done twice."""

from random import Random

import pytest

from orders.models import SagaStyle
from tests.chaos.checks import check_everything
from tests.chaos.consumers import check_consumers
from tests.chaos.faults import Chaos, faults
from tests.chaos.load import placed_while
from tests.chaos.report import REPORT, summary
from tests.chaos.shop import INTERVAL, NODES, SECONDS, SEED

pytestmark = pytest.mark.skipif(bool(NODES), reason="the database is not the topology's own")


@pytest.fixture(scope="module")
def coming():
    """Faults that both styles share, so that a short run has every kind of component in one of them."""
    return faults(Random(f"{SEED} faults"))


@pytest.mark.parametrize("style", SagaStyle.values)
def test_no_order_is_lost_or_done_twice_whatever_is_killed(shop, coming, style):
    chaos = Chaos(shop.topology, Random(f"{SEED} {style}"), coming)
    orders = placed_while(shop, [style], lambda is_over: chaos.run(INTERVAL, is_over), SECONDS)
    drained = check_everything(shop, orders, chaos.excuses)
    delivered = check_consumers(shop)
    REPORT.extend(summary(style, orders, drained, chaos.happened, delivered))
