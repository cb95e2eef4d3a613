"""The supervisor of bin/scale: what it starts, restarts and stops."""

import fcntl
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from cloudmart.deploy.local import component as components
from cloudmart.deploy.local import database as databases
from cloudmart.deploy.local import supervisor as supervisors
from cloudmart.deploy.local.component import Component
from cloudmart.deploy.local.health import PONG, READY
from cloudmart.deploy.local.ports import free_ports
from cloudmart.deploy.local.sessions import members, send
from cloudmart.deploy.local.shop import beside, read_settings
from cloudmart.deploy.local.supervisor import NotReady, Stopped, Supervisor
from cloudmart.deploy.local.templates import fill_in, write_nginx
from tests.processes import run_python, wait_until
from tests.raw_server import raw_server

pytestmark = pytest.mark.any_database

SLEEP = "import signal; signal.pause()"
FAMILY = f"import os, sys, subprocess; subprocess.Popen([sys.executable, '-c', '{SLEEP}'], process_group=0); {SLEEP}"
"""Starts another process, in a group of its own, as bin/serve does."""
FULL_DISK = """\
#!/bin/sh
[ "$1" = --version ] && echo MariaDB && exit
mkdir "${2#--datadir=}" && [ ! -e "$0.is_full" ] || { echo "The disk is full" && exit 1; }
"""
"""A MariaDB that creates a part of its data only, while there is a file beside it."""


def component(code, name="one", is_ready=True):
    return Component(name, "web", [sys.executable, "-c", code], lambda port: is_ready, 0)


@pytest.fixture
def supervisor(tmp_path):
    supervisor = Supervisor(tmp_path, lambda components: None)
    yield supervisor
    supervisor.stop([("web",)])


def test_only_the_names_in_braces_are_filled_in():
    assert fill_in("proxy ${NGINX_FOLDER}/a $host $1", {"NGINX_FOLDER": "here"}) == "proxy here/a $host $1"


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(KeyError, match="NGINX_RATE"):
        fill_in("rate=${NGINX_RATE};", {})


def test_nginx_has_the_settings_of_the_environment_then_those_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "settings").write_text("MAX_BODY_SIZE=1000\nNGINX_RATE=5r/s\n")
    monkeypatch.setenv("ENV_FILE", str(tmp_path / "settings"))
    monkeypatch.setenv("NGINX_RATE", "7r/s")
    with monkeypatch.context() as without:
        without.setenv("MAX_BODY_SIZE", "")  # so that the end of the test deletes it
        without.delenv("MAX_BODY_SIZE")
        read_settings()
        config = write_nginx(tmp_path, 80, [8000]).read_text()
    assert "client_max_body_size 1000;" in config
    assert "rate=7r/s;" in config


def test_a_port_that_refuses_or_says_something_else_is_not_ready():
    port = next(free_ports())
    assert not PONG(port) and not READY(port)
    with raw_server(lambda: [b"-LOADING\r\n"]) as server:
        port = urlsplit(server.url).port
        assert not PONG(port) and not READY(port)


def test_a_command_beside_the_shop_is_ready_as_long_as_it_runs(supervisor, tmp_path):
    one, log = beside("consumer", "sh -c 'echo $EVENTS_URL; sleep 60'", {"EVENTS_URL": "redis://a"}), tmp_path / "logs"
    supervisor.start([one])
    wait_until(lambda: (log / "consumer.log").read_text() == "redis://a\n")
    assert one.is_ready
    one.kill_rest()
    assert not one.is_ready


def test_the_data_of_the_database_are_created_whole_or_not_at_all(tmp_path, monkeypatch):
    server, is_full, folder = tmp_path / "server", tmp_path / "server.is_full", tmp_path / "database"
    server.write_text(FULL_DISK)
    server.chmod(0o700)
    is_full.touch()
    monkeypatch.setattr(databases, "find", lambda *names: str(server))
    with pytest.raises(NotReady, match=r"see .*/database/create\.log"):
        databases.create_database(folder, 3306)
    assert (folder / "create.log").read_text() == "The disk is full\n"
    assert not (folder / "data").exists()
    is_full.unlink()
    databases.create_database(folder, 3306)
    assert (folder / "data").is_dir()


def test_a_component_is_its_whole_session(supervisor):
    one = component(FAMILY)
    supervisor.start([one])
    wait_until(lambda: len(members(one.pid)) == 2)
    one.kill_rest()
    wait_until(lambda: members(one.pid) == [])


def test_what_a_dead_component_leaves_behind_is_killed_and_it_starts_again(supervisor):
    one = component(FAMILY)
    supervisor.start([one])
    wait_until(lambda: len(members(one.pid)) == 2)
    before = one.pid
    one.process.kill()
    while one.pid == before:
        supervisor.tend()
    assert members(before) == []
    wait_until(lambda: len(members(one.pid)) == 2)


def test_a_component_that_hangs_is_stopped_too(supervisor):
    one = component(SLEEP)
    supervisor.start([one])
    wait_until(lambda: members(one.pid) == [one.pid])
    send(one.pid, signal.SIGSTOP)
    supervisor.stop([("web",)])
    assert members(one.pid) == []


def test_what_a_component_leaves_behind_that_dies_just_before_the_stop_signal_is_killed(supervisor, monkeypatch):
    one = component(FAMILY)
    supervisor.start([one])
    wait_until(lambda: len(members(one.pid)) == 2)

    def die_on(pid, number):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: one.has_ended)

    monkeypatch.setattr(components, "send", die_on)
    supervisor.stop([("web",)])
    assert members(one.pid) == []


def test_every_start_and_restart_is_reported(tmp_path):
    reported = []
    supervisor = Supervisor(tmp_path, lambda components: reported.append([each.pid for each in components]))
    one = component("")
    supervisor.start([one])
    while len(reported) < 2:
        supervisor.tend()
    supervisor.stop([("web",)])
    assert reported[0] != reported[1]


def test_a_component_that_never_gets_ready_is_named(supervisor, monkeypatch):
    monkeypatch.setattr(supervisors, "START_TIME", 0)
    one = component(SLEEP, name="web-7", is_ready=False)
    supervisor.start([one])
    with pytest.raises(NotReady, match=r"web-7 is not ready; see .*/logs/web-7.log"):
        supervisor.wait_until_ready([one])


def test_two_do_not_run_on_the_same_data(tmp_path):
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(subprocess.CalledProcessError) as error:
            run_python("-m", "cloudmart.deploy.local", "--folder", str(tmp_path), env=dict(os.environ))
    assert "Another one runs" in error.value.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_sigterm_ends_the_wait(supervisor):
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        supervisor.obey_signals()
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Stopped):
            supervisor.run()
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
