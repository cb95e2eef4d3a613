"""The alerts and the dashboards, and the metrics that they read."""

import json
import re

import yaml

from cloudmart.deploy.local.templates import DEPLOY

RULES = DEPLOY / "prometheus" / "rules" / "cloudmart.yml"
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")}
PANELS = [panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]]
EXPRESSIONS = [rule["expr"] for rule in ALERTS] + [target["expr"] for panel in PANELS for target in panel["targets"]]
METRIC = re.compile(r"\b(?:cloudmart|rabbitmq)_[a-z_]+\b")


def used(prefix):
    return {name for expression in EXPRESSIONS for name in METRIC.findall(expression) if name.startswith(prefix)}
