"""docker-compose.yml: the profile scale is the topology of bin/scale, and everything that the file names exists."""

import re
import subprocess
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import yaml
from django.conf import settings
from redis import AuthenticationError, Redis

from cloudmart.deploy.local import shop
from cloudmart.deploy.local.database import find
from cloudmart.deploy.local.templates import DEPLOY, fill_in
from cloudmart.deploy.local.topology import COUNTS, OPTIONAL
from tests.processes import ROOT, free_port, listens, wait_until

pytestmark = pytest.mark.any_database

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
SCALE = {name: service for name, service in SERVICES.items() if service.get("profiles") == ["scale"]}
DEFAULT = {name: service for name, service in SERVICES.items() if service.get("profiles") == ["default"]}
KNOWN = set(re.findall(r"^#?([A-Z][A-Z_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")
of_the_profile = pytest.mark.parametrize("name", SCALE)


def replicas(name):
    return SERVICES[name].get("deploy", {}).get("replicas", 1)


def needed(name):
    """Returns the service and what it depends on."""
    found, left = set(), [name]
    while left:
        name = left.pop()
        found.add(name)
        left += SERVICES[name].get("depends_on", {}).keys() - found
    return found


def mounts(service):
    return [mount.split(":")[0] for mount in service.get("volumes", [])]


def secrets(service):
    """Returns the names of a service's secrets, with the paths of their files in the container."""
    entries = [{"source": each} if isinstance(each, str) else each for each in service.get("secrets", [])]
    return {each["source"]: each.get("target", f"/run/secrets/{each['source']}") for each in entries}


def test_every_service_has_the_profile_default_or_the_profile_scale():
    assert DEFAULT.keys() == {"web", "worker", "migrate", "mysql"}
    assert SCALE.keys() | DEFAULT.keys() == SERVICES.keys()


@pytest.mark.parametrize("profile", [DEFAULT, SCALE])
def test_a_profile_depends_on_nothing_outside_it(profile):
    assert set().union(*map(needed, profile)) == profile.keys()


def test_both_profiles_have_the_same_data():
    assert [mounts(SERVICES[name])[0] for name in ("mysql", "database")] == ["mysql", "mysql"]


def test_the_secrets_of_the_profile_scale_are_those_of_the_profile_default(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "signed-before")
    monkeypatch.setenv("MYSQL_PASSWORD", "stored-before")
    subprocess.run([ROOT / "bin" / "secrets", tmp_path], check=True)
    assert (tmp_path / "secret_key").read_text() == "signed-before"
    assert (tmp_path / "database_password").read_text() == "stored-before"
    assert urlsplit((tmp_path / "database_url").read_text()).password == "stored-before"


def test_bin_scale_runs_the_same_topology():
    counts = {"web": "scaled-web", "celery": "celery", "worker": "scaled-worker"}
    assert {kind: replicas(name) for kind, name in counts.items()} == COUNTS
    engines = SCALE.keys() - counts.values()
    assert engines == {*OPTIONAL, "database", "scaled-migrate", "grafana"} - counts.keys()


def test_bin_scale_gives_the_processes_the_same_size():
    for name in ("scaled-web", "celery", "scaled-worker"):
        assert {**shop.SIZES, "EVENTS_KEPT": shop.EVENTS_KEPT}.items() <= SERVICES[name]["environment"].items()


def test_both_give_a_service_the_same_name_in_traces():
    for start, name in ((shop.web, "scaled-web"), (shop.celery, "celery"), (shop.worker, "scaled-worker")):
        own = start(1, 8000, {}).environment["OTEL_SERVICE_NAME"]
        assert own == SERVICES[name]["environment"]["OTEL_SERVICE_NAME"]


def test_the_settings_say_how_many_there_are():
    environment, names = SERVICES["scaled-web"]["environment"], ("WEB_SERVERS", "CELERY_WORKERS", "WORKERS")
    assert [int(environment[name]) for name in names] == [COUNTS["web"], COUNTS["celery"], COUNTS["worker"]]


@of_the_profile
def test_a_container_has_half_a_processor_and_512_megabytes(name):
    assert SCALE[name]["deploy"]["resources"]["limits"] == {"cpus": "0.5", "memory": "512M"}


@of_the_profile
def test_what_keeps_running_is_restarted_and_has_a_health_check(name):
    if name == "scaled-migrate":
        assert (SCALE[name]["restart"], SCALE[name]["healthcheck"]) == ("no", {"disable": True})
    else:
        assert SCALE[name]["restart"] == "unless-stopped"
        assert SCALE[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@of_the_profile
def test_a_port_of_the_host_belongs_to_one_container_on_loopback(name):
    ports = SCALE[name].get("ports", [])
    assert replicas(name) == 1 or not ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", ["web", "worker", "scaled-web", "scaled-worker", "celery"])
def test_a_container_is_given_the_time_in_which_it_ends_by_itself(name):
    (longest,) = re.findall(r"--workers-kill-timeout (\d+)", (ROOT / "bin" / "serve").read_text())
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > int(longest)


@pytest.mark.parametrize("name", SERVICES)
def test_a_condition_can_come_true(name):
    for other, condition in SERVICES[name].get("depends_on", {}).items():
        if condition["condition"] == "service_healthy":
            assert "test" in SERVICES[other]["healthcheck"]
        elif condition["condition"] == "service_completed_successfully":
            assert "migrate" in SERVICES[other]["command"][-1]
        assert name not in needed(other), "a circle"


STARTS_AFTER = {
    "nginx": {"scaled-web": "service_healthy"},
    "scaled-migrate": {"database": "service_healthy"},
    "scaled-web": {"scaled-migrate": "service_completed_successfully"},
    "scaled-worker": {"scaled-migrate": "service_completed_successfully"},
    "celery": {"scaled-migrate": "service_completed_successfully", "rabbitmq": "service_healthy"},
    "grafana": {"prometheus": "service_healthy"},
}


@pytest.mark.parametrize("name", STARTS_AFTER)
def test_a_service_starts_after_what_it_cannot_do_without(name):
    conditions = {other: each["condition"] for other, each in SERVICES[name]["depends_on"].items()}
    assert STARTS_AFTER[name].items() <= conditions.items()


@pytest.mark.parametrize("name", SERVICES)
def test_everything_that_is_mounted_exists(name):
    for source in mounts(SERVICES[name]):
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]


def test_every_volume_is_used():
    assert {source for service in SERVICES.values() for source in mounts(service) if source[0] != "."} == set(
        COMPOSE["volumes"]
    )


def test_every_secret_is_declared_used_and_written_by_bin_secrets(tmp_path):
    used = {name for service in SERVICES.values() for name in secrets(service)}
    declared = {name: secret["file"] for name, secret in COMPOSE["secrets"].items()}
    assert declared == {name: f"./secrets/{name}" for name in used}
    subprocess.run([ROOT / "bin" / "secrets", tmp_path], check=True)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written.keys() == used and all(written.values())
    assert written["database_password"] in written["database_url"]
    assert written["rabbitmq_user"].split()[-1] in written["broker_url"]
    assert written["redis_streams_auth"].split()[-1] in written["events_url"]
    assert {urlsplit(written[name]).hostname for name in ("database_url", "broker_url", "events_url")} <= SCALE.keys()
    subprocess.run([ROOT / "bin" / "secrets", tmp_path], check=True)
    assert written == {path.name: path.read_text() for path in tmp_path.iterdir()}, "a second run changes nothing"


@pytest.mark.parametrize("name", SERVICES)
def test_a_setting_from_a_file_names_a_secret_of_the_service(name):
    files = [value for key, value in SERVICES[name].get("environment", {}).items() if re.search("_FILE$", key)]
    assert set(files) <= set(secrets(SERVICES[name]).values())


@of_the_profile
def test_no_secret_is_in_the_environment(name):
    secret = re.compile("(KEY|TOKEN|(?<!RANDOM_ROOT_)PASSWORD|DATABASE_URL|BROKER_URL|EVENTS_URL)$")
    assert list(filter(secret.search, SCALE[name].get("environment", {}))) == []


@pytest.mark.parametrize("name", [name for name, service in SERVICES.items() if service["image"] == "cloudmart"])
def test_every_setting_of_the_shop_is_documented(name):
    settings = {key.removesuffix("_FILE") for key in SERVICES[name]["environment"]}
    assert settings - KNOWN == set()


def test_every_variable_of_the_file_is_documented():
    assert set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text())) - KNOWN == set()


def test_the_shop_gets_its_time_zone_its_currency_and_its_collector_in_both_profiles():
    for name in ("web", "worker", "scaled-web", "scaled-worker", "celery", "scaled-migrate"):
        passed_on = {"SHOP_TIME_ZONE", "CURRENCY", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"}
        assert passed_on <= SERVICES[name]["environment"].keys()


def test_the_shop_trusts_nginx_whatever_the_other_profile_trusts():
    assert SERVICES["scaled-web"]["environment"]["TRUSTED_PROXIES"] == "1"


def test_nginx_gets_every_value_of_its_template_and_accepts_the_result(tmp_path):
    environment = SERVICES["nginx"]["environment"]
    template = (DEPLOY / "nginx.conf.template").read_text()
    assert set(VARIABLE.findall(template)) <= environment.keys()
    values = {key: re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", value) for key, value in environment.items()}
    # Debian's nginx does not resolve anew, and there is no such host here.
    values |= {"NGINX_FOLDER": str(tmp_path), "NGINX_UPSTREAMS": values["NGINX_UPSTREAMS"].replace(" resolve", "")}
    values["NGINX_UPSTREAMS"] = values["NGINX_UPSTREAMS"].replace("scaled-web", "127.0.0.1")
    config = tmp_path / "nginx.conf"
    config.write_text(fill_in(template, values).replace("listen 8080", "listen 127.0.0.1:8080"))
    checked = subprocess.run([find("nginx"), "-t", "-e", "stderr", "-c", config], capture_output=True, text=True)
    assert "syntax is ok" in checked.stderr, checked.stderr


@contextmanager
def running_redis(folder):
    """Runs the service redis-streams as the file says, on a port of this machine. Yields the port."""
    files = {path: folder / name for name, path in secrets(SERVICES["redis-streams"]).items()}
    files["/etc/redis/redis.conf"] = DEPLOY / "redis-streams.conf"
    command = [
        find("redis-server"),
        *(str(files.get(part, part)) for part in SERVICES["redis-streams"]["command"][1:]),
    ]
    port = free_port()
    with subprocess.Popen([*command, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]) as server:
        try:
            wait_until(lambda: listens(port))
            yield port
        finally:
            server.kill()


def test_redis_has_the_password_of_the_shop_and_stores_each_event_before_it_confirms_it(tmp_path):
    subprocess.run([ROOT / "bin" / "secrets", tmp_path], check=True)
    with running_redis(tmp_path) as port:
        with pytest.raises(AuthenticationError):
            Redis(port=port).ping()
        password = urlsplit((tmp_path / "events_url").read_text()).password
        found = Redis(port=port, password=password, decode_responses=True).config_get("append*", "maxmemory-policy")
    assert (found["appendonly"], found["appendfsync"], found["maxmemory-policy"]) == ("yes", "always", "noeviction")


def test_redis_is_full_before_it_uses_all_the_memory_of_its_container_and_holds_what_is_kept():
    (megabytes,) = re.findall(r"^maxmemory (\d+)mb$", (DEPLOY / "redis-streams.conf").read_text(), re.MULTILINE)
    assert int(megabytes) * 2 <= int(SERVICES["redis-streams"]["deploy"]["resources"]["limits"]["memory"][:-1])
    kept = int(SERVICES["scaled-worker"]["environment"]["EVENTS_KEPT"]) * settings.EVENTS_PARTITIONS
    assert kept * 2000 < int(megabytes) * 1024**2


def test_grafana_finds_its_dashboards_where_they_are_mounted():
    mounted = dict(mount.split(":")[:2] for mount in SERVICES["grafana"]["volumes"])
    provisioning = DEPLOY / "grafana" / "provisioning" / "dashboards" / "cloudmart.yml"
    (provider,) = yaml.safe_load(provisioning.read_text())["providers"]
    assert mounted["./cloudmart/deploy/grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./cloudmart/deploy/grafana/provisioning"] == "/etc/grafana/provisioning"


def test_prometheus_looks_for_services_that_listen_there():
    jobs = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    found = {(*each["names"], each["port"]) for job in jobs for each in job["dns_sd_configs"]}
    celery, worker = SERVICES["celery"]["environment"], SERVICES["scaled-worker"]["command"]
    assert found == {
        ("scaled-web", 8000),
        ("scaled-worker", int(worker[worker.index("--metrics-port") + 1])),
        ("celery", int(celery["CELERY_METRICS_PORT"])),
        ("rabbitmq", 15692),
    }
