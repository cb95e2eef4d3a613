"""The profiles of settings: what each sets, and what takes precedence."""

import json
import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.any_database

SHOWN = (
    "PROFILE",
    "DEBUG",
    "HTTPS",
    "SECURE_SSL_REDIRECT",
    "SESSION_COOKIE_SECURE",
    "ALLOW_MAGIC_TOKENS",
    "EMAIL_BACKEND",
    "PICKUP_POSTAL_CODE",
)
SHOW = f"""
import json, logging
from django.conf import settings
from cloudmart.logs import formatter
shown = {{name: getattr(settings, name) for name in {SHOWN}}}
line = formatter().format(logging.makeLogRecord({{"msg": "a line"}}))
print(json.dumps(shown | {{"logs_json": line.startswith("{{")}}))
"""
CONSOLE = "django.core.mail.backends.console.EmailBackend"
PROD = {
    "PROFILE": "prod",
    "DEBUG": False,
    "HTTPS": True,
    "SECURE_SSL_REDIRECT": True,
    "SESSION_COOKIE_SECURE": True,
    "ALLOW_MAGIC_TOKENS": False,
    "EMAIL_BACKEND": CONSOLE,
    "PICKUP_POSTAL_CODE": "",
    "logs_json": True,
}
DEV = {
    "PROFILE": "dev",
    "DEBUG": False,
    "HTTPS": False,
    "SECURE_SSL_REDIRECT": False,
    "SESSION_COOKIE_SECURE": False,
    "ALLOW_MAGIC_TOKENS": True,
    "EMAIL_BACKEND": CONSOLE,
    "PICKUP_POSTAL_CODE": "100-0005",
    "logs_json": False,
}


@pytest.fixture
def run(tmp_path):
    """Runs a command in an environment without our settings but these, with these lines in .env."""

    def run(*command, dotenv="", **environment):
        (tmp_path / "env").write_text(f"SECRET_KEY=test\n{dotenv}")
        given = {"PATH": os.environ["PATH"], "ENV_FILE": str(tmp_path / "env"), **environment}
        return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def shown(run):
    """Returns the settings of a process, and whether it logs JSON objects."""

    def shown(**environment):
        done = run(sys.executable, "-c", SHOW, DJANGO_SETTINGS_MODULE="cloudmart.settings", **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return shown


@pytest.mark.parametrize("named", [{}, {"PROFILE": ""}, {"PROFILE": "prod"}, {"dotenv": "PROFILE=prod\n"}])
def test_production_is_the_default_and_has_no_convenience(shown, named):
    assert shown(**named) == PROD


@pytest.mark.parametrize("named", [{"PROFILE": "dev"}, {"dotenv": "PROFILE=dev\n"}])
def test_dev_speaks_http_takes_magic_tokens_and_logs_text(shown, named):
    assert shown(**named) == DEV


def test_the_environment_takes_precedence_over_the_file_and_the_file_over_the_profile(shown):
    dotenv = "PROFILE=prod\nALLOW_MAGIC_TOKENS=false\nLOG_FORMAT=json\n"
    assert shown(PROFILE="dev", dotenv=dotenv) == DEV | {"ALLOW_MAGIC_TOKENS": False, "logs_json": True}
    changed = {"ALLOW_MAGIC_TOKENS": "true", "LOG_FORMAT": "console", "HTTPS": "true"}
    https = dict.fromkeys(("HTTPS", "SECURE_SSL_REDIRECT", "SESSION_COOKIE_SECURE"), True)
    assert shown(PROFILE="dev", dotenv=dotenv, **changed) == DEV | https


def test_debug_changes_no_other_setting(shown):
    assert shown(DEBUG="true") == PROD | {"DEBUG": True}


def test_an_unknown_profile_is_an_error_that_names_the_known_ones(run):
    done = run(sys.executable, "manage.py", "check", PROFILE="staging")
    assert done.returncode == 1
    assert "PROFILE is 'staging'; it must be dev or prod." in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "logs_json"),
    [
        ({}, True),
        ({"dotenv": "PROFILE=dev\n"}, False),
        ({"PROFILE": "prod", "dotenv": "PROFILE=dev\n"}, True),
        ({"PROFILE": "dev", "LOG_FORMAT": "json"}, True),
        ({"dotenv": "LOG_FORMAT=console\n"}, False),
    ],
)
def test_the_master_of_the_web_server_logs_in_the_format_of_the_profile(run, tmp_path, chosen, logs_json):
    """It loads no settings. A stand-in for it shows the environment that bin/serve gives it."""
    (tmp_path / "granian").write_text(
        f"#!{sys.executable}\nimport logging\nfrom cloudmart.logs import formatter\n"
        "print(formatter().format(logging.makeLogRecord({'msg': 'a line'})))\n"
    )
    (tmp_path / "granian").chmod(0o755)
    path = f"{tmp_path}:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    done = run(ROOT / "bin" / "serve", "127.0.0.1", "0", PATH=path, PYTHONPATH=str(ROOT), **chosen)
    assert done.returncode == 0 and "a line" in done.stdout, done.stderr
    assert done.stdout.startswith("{") == logs_json
