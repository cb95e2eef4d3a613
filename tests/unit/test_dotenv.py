"""Where settings are read from: by the scripts in bin/, and by Django."""

import os
import subprocess
import sys

import pytest

from tests.processes import ROOT

DOTENV = ROOT / "bin" / "lib" / "dotenv.sh"


@pytest.fixture
def setting(tmp_path):
    """Returns the function `setting` of the scripts, in a folder with two files of settings."""
    (tmp_path / ".env").write_text("PORT=1\nWEB_WORKERS=3\n")
    (tmp_path / "other").write_text("PORT=2\n")

    def setting(name, default, **environment):
        command = ["bash", "-euc", f'source {DOTENV}; setting "$@"', "bash", name, default]
        env = {"PATH": os.environ["PATH"], **environment}
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        ).stdout.strip()

    return setting


def test_a_setting_is_read_from_the_environment_then_the_file_then_the_default(setting):
    assert setting("PORT", "8000", PORT="4") == "4"
    assert setting("PORT", "8000") == "1"
    assert setting("LOG_FORMAT", "json") == "json"


def test_env_file_names_another_file(setting):
    assert setting("PORT", "8000", ENV_FILE="other") == "2"
    assert setting("WEB_WORKERS", "8", ENV_FILE="other") == "8"
    assert setting("PORT", "8000", ENV_FILE=os.devnull) == "8000"


def test_a_secret_may_be_in_a_file_that_ends_with_a_line_break(tmp_path):
    secret = tmp_path / "secret_key"
    secret.write_text("from a file\n")
    assert printed("SECRET_KEY", SECRET_KEY_FILE=str(secret)) == "from a file"


def test_a_web_server_has_a_process_for_each_core_that_it_may_use():
    usable = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(usable)})
    try:
        assert printed("WEB_WORKERS", SECRET_KEY="test") == "1"
    finally:
        os.sched_setaffinity(0, usable)


def printed(name, **env):
    """Returns a setting of Django in a process with this environment."""
    env = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **env}
    command = [sys.executable, "-c", f"from cloudmart import settings; print(settings.{name}, end='')"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True).stdout
