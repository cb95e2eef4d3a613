"""Prometheus reads every process of the topology, and finds what the alerts and dashboards show of RabbitMQ."""

import json
from collections import Counter
from urllib.request import urlopen

from cloudmart.deploy.local.topology import COUNTS
from tests.monitoring import used
from tests.processes import TIMEOUT, wait_until


def asked(shop, path):
    """Returns what Prometheus responds at this path of its API."""
    (prometheus,) = shop.topology.components("prometheus")
    with urlopen(f"http://127.0.0.1:{prometheus.port}/api/v1/{path}", timeout=TIMEOUT) as response:
        return json.load(response)["data"]


def processes_read(shop):
    """Returns the number of processes of each job that Prometheus reads."""
    targets = asked(shop, "targets")["activeTargets"]
    return Counter(each["labels"]["job"] for each in targets if each["health"] == "up")


def test_prometheus_reads_every_process(shop):
    wait_until(lambda: processes_read(shop) == {**COUNTS, "rabbitmq": 1})


def test_the_metrics_of_rabbitmq_in_rules_and_dashboards_exist(shop):
    wait_until(lambda: used("rabbitmq") <= set(asked(shop, "label/__name__/values")))
    assert used("rabbitmq")
