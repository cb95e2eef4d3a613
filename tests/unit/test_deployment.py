"""What watches the shop: the tools accept its configuration, and every metric in it exists."""

import importlib
import os
import pkgutil
import re
import subprocess
from functools import cache

import pytest
import yaml
from prometheus_client import REGISTRY

from cloudmart.deploy.local.database import find
from cloudmart.deploy.local.templates import DEPLOY, write_prometheus
from cloudmart.kernel.metrics import READ_AT_SCRAPE
from orders.models import SagaStyle
from tests.monitoring import ALERTS, DASHBOARDS, EXPRESSIONS, METRIC, PANELS, used
from tests.processes import ROOT, run_python

pytestmark = pytest.mark.any_database

ALERT_TESTS = ROOT / "tests" / "deploy" / "alerts.yml"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}


def promtool(*arguments):
    return subprocess.run([find("promtool"), *map(str, arguments)], capture_output=True, text=True, check=False)


@cache
def import_everything():
    """Imports every module of the shop, so that every counter is registered."""
    for app in ("cloudmart", "orders", "inventory", "payments", "shipping", "sagas"):
        package = importlib.import_module(app)
        for module in pkgutil.walk_packages(package.__path__, f"{app}."):
            if not re.search(r"\.(migrations|__main__|wsgi|asgi)\b", module.name):
                importlib.import_module(module.name)


def names(registry):
    """Returns the names under which Prometheus stores the metrics of a registry."""
    return {family.name + suffix for family in registry.collect() for suffix in SUFFIXES.get(family.type, ())}


def test_prometheus_accepts_its_configuration(tmp_path):
    config = write_prometheus(tmp_path, {"web": [8000], "worker": []}, "secret")
    checked = promtool("check", "config", config)
    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_alerts_fire_when_they_should():
    checked = promtool("test", "rules", ALERT_TESTS)
    assert checked.returncode == 0, checked.stderr


def test_every_alert_is_shown_to_fire():
    cases = [case for test in yaml.safe_load(ALERT_TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    assert {rule["alert"] for rule in ALERTS} == {case["alertname"] for case in cases if case["exp_alerts"]}


def test_every_alert_is_explained():
    text = (ROOT / "docs" / "scaling.md").read_text()
    assert [rule["alert"] for rule in ALERTS if f"| `{rule['alert']}` |" not in text] == []


@pytest.mark.django_db
def test_every_metric_of_ours_in_rules_and_dashboards_exists():
    import_everything()
    known = names(REGISTRY) | names(READ_AT_SCRAPE)
    assert len(used("cloudmart")) > 20
    assert used("cloudmart") - known == set()


@pytest.mark.django_db
def test_gauges_that_every_process_reads_are_not_added_up():
    gauges = names(READ_AT_SCRAPE)
    found = [each for each in EXPRESSIONS if gauges & set(METRIC.findall(each))]
    assert found and [each for each in found if not each.startswith("max")] == []


def test_dashboards_have_valid_expressions(tmp_path):
    found = [target["expr"].replace("$__rate_interval", "1m") for panel in PANELS for target in panel["targets"]]
    rules = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(found)]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool("check", "rules", tmp_path / "rules.yml")
    assert checked.returncode == 0, checked.stderr


def test_dashboards_read_the_provisioned_prometheus():
    (source,) = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    sources = {panel["datasource"]["uid"] for panel in PANELS}
    sources |= {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]}
    assert sources == {source["uid"]}


def test_dashboards_and_panels_have_ids_of_their_own():
    assert len({dashboard["uid"] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS) == 5
    for dashboard in DASHBOARDS.values():
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


@pytest.mark.parametrize("style", SagaStyle.values)
def test_the_first_error_of_a_process_is_an_increase(style):
    code = "import django; django.setup(); from prometheus_client import generate_latest as g; print(g().decode())"
    counters = run_python("-c", code, env={**os.environ, "DJANGO_SETTINGS_MODULE": "cloudmart.settings"}).stdout
    assert f'cloudmart_orders_total{{outcome="error",style="{style}"}} 0.0\n' in counters
