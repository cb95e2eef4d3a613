"""The files of cloudmart/deploy/, filled in for this machine."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent.parent


def fill_in(text: str, values: Mapping[str, str]) -> str:
    """Replaces each ${NAME} by its value, as envsubst does, and no other $. Raises KeyError for an unknown one."""
    return re.sub(r"\$\{([A-Z][A-Z_]*)\}", lambda found: values[found[1]], text)


def write_nginx(folder: Path, port: int, web_ports: Sequence[int]) -> Path:
    """Writes nginx's configuration, and returns its path. All clients have one address here, so it may send a lot."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "NGINX_RATE": os.environ.get("NGINX_RATE", "1000r/s"),
        "NGINX_BURST": os.environ.get("NGINX_BURST", "1000"),
        "NGINX_PROXY": os.environ.get("NGINX_PROXY", "255.255.255.255"),
        "NGINX_BODY_SIZE": os.environ.get("MAX_BODY_SIZE", "262144"),
        "NGINX_FOLDER": str(folder),
        "NGINX_LISTEN": f"127.0.0.1:{port}",
        "NGINX_HOSTS": "127.0.0.1 localhost",
        "NGINX_RESOLVER": "",
        "NGINX_UPSTREAMS": "".join(f"server 127.0.0.1:{web} max_fails=1 fail_timeout=1s;" for web in web_ports),
    }
    path = folder / "nginx.conf"
    path.write_text(fill_in((DEPLOY / "nginx.conf.template").read_text(), values))
    return path


def write_rabbitmq(folder: Path, metrics_port: int) -> Path:
    """Writes RabbitMQ's configuration and its list of plugins, and returns the path of the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "rabbitmq.conf"
    own = f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {metrics_port}\n"
    path.write_text((DEPLOY / "rabbitmq.conf").read_text() + own)
    (folder / "plugins").write_text((DEPLOY / "rabbitmq-plugins").read_text())
    return path


def write_prometheus(folder: Path, targets: Mapping[str, Sequence[int]], token: str) -> Path:
    """Writes Prometheus' configuration, rules, targets by job and token; returns the configuration's path."""
    for part in ("targets", "secrets", "rules"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for job, ports in targets.items():
        found = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
        (folder / "targets" / f"{job}.json").write_text(json.dumps(found))
    (folder / "secrets").chmod(0o700)
    (folder / "secrets" / "metrics_token").write_text(token)
    for rules in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        (folder / "rules" / rules.name).write_text(rules.read_text())
    path = folder / "prometheus.yml"
    path.write_text((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    return path
