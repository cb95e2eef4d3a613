"""The code in docs/webhooks.md verifies what the shop signs, and nothing else."""

import json
import os
import re
import shutil
import subprocess
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpcore
import pytest

from cloudmart.outbox.types import EventType
from cloudmart.webhooks.event_examples import example_of
from cloudmart.webhooks.secrets import new_secret, signature_headers
from tests.processes import TIMEOUT, free_port, listens, running_command, wait_until

pytestmark = pytest.mark.any_database

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
EVENT = example_of(EventType.ORDER_COMPLETED)
BODY = json.dumps(EVENT, ensure_ascii=False)
SECRET = new_secret()
MINUTES = timedelta(minutes=6)
"""Longer than a receiver accepts clocks to differ."""
TABLE_ROW = re.compile(r"^\| `([a-z.]+)` \|", re.MULTILINE)


def snippets(language):
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)


def signed(secret=SECRET, age=timedelta(), also=(), body=BODY):
    return signature_headers([*also, secret], EVENT["id"], datetime.now(UTC) - age, body)


GOOD = {"of its secret": {}, "of two secrets": {"also": [new_secret()]}}
BAD = {
    "of another secret": {"secret": new_secret()},
    "too old": {"age": MINUTES},
    "too new": {"age": -MINUTES},
    "of another body": {"body": BODY.replace("3850", "385")},
}


@pytest.mark.parametrize("source", snippets("python"))
def test_the_python_code_accepts_what_is_signed_and_refuses_the_rest(source):
    names = {}
    exec(source, names)  # noqa: S102, it is our own document
    for case in GOOD.values():
        assert names["verified"](SECRET, signed(**case), BODY.encode()) == EVENT
    for case in BAD.values():
        with pytest.raises(Exception, match=r"(?i)old|new|signature"):
            names["verified"](SECRET, signed(**case), BODY.encode())


def test_the_node_code_accepts_what_is_signed_and_refuses_the_rest(tmp_path):
    if not (node := shutil.which("node")):
        warnings.warn("node is not installed: the code for Node in docs/webhooks.md is not tested", stacklevel=1)
        pytest.skip("node is not installed")
    (source,) = snippets("javascript")
    (tmp_path / "verified.mjs").write_text(source)
    (tmp_path / "main.mjs").write_text("""
import { readFileSync } from "node:fs";
import { verified } from "./verified.mjs";
const { secret, headers, body } = JSON.parse(readFileSync(0));
console.log(JSON.stringify(verified(secret, headers, Buffer.from(body))));
""")

    def run(case):
        given = json.dumps({"secret": SECRET, "headers": signed(**case), "body": BODY})
        return subprocess.run(
            [node, tmp_path / "main.mjs"], input=given, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )

    for case in GOOD.values():
        assert json.loads(run(case).stdout) == EVENT
    for case in BAD.values():
        refused = run(case)
        assert refused.returncode != 0 and re.search("too old|signature is wrong", refused.stderr)


def test_the_shell_code_prints_the_signature(tmp_path):
    file = tmp_path / "body"
    file.write_text(BODY)
    headers = signed()
    env = {"SECRET": SECRET, "ID": headers["webhook-id"], "TIMESTAMP": headers["webhook-timestamp"], "BODY": str(file)}
    assert run_shell(snippets("bash")[0], env) == headers["webhook-signature"]


@pytest.mark.slow
def test_the_shell_code_sends_a_signed_event(transactional_db):
    port = free_port()
    with running_command("listen", "--port", str(port), "--secret", SECRET):
        wait_until(lambda: listens(port))
        source, url = snippets("bash")[1], f"http://127.0.0.1:{port}/"
        assert run_shell(source, {"SECRET": SECRET, "URL": url}) == "204"
        assert run_shell(source, {"SECRET": new_secret(), "URL": url}) == "401"
        assert httpcore.request("POST", url, headers=signed(), content=BODY.encode()).status == 204


def run_shell(source, env):
    run = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", source],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=True,
    )
    return run.stdout.strip()


def test_the_document_lists_every_type():
    assert TABLE_ROW.findall(DOCUMENT.read_text()) == [*EventType]
