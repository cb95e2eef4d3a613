"""Commands that end."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence

from cloudmart.deploy.local.shop import ROOT


def run_job(command: Sequence[str], environment: Mapping[str, str], tend: Callable[[], None]) -> str:
    """Returns the output of a command, and calls `tend` while it runs. Raises CalledProcessError."""
    with tempfile.TemporaryFile("w+") as output:
        job = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=output,
        )
        try:
            while job.poll() is None:
                tend()
        finally:
            job.kill()
            job.wait()
        if job.returncode:
            raise subprocess.CalledProcessError(job.returncode, command)
        output.seek(0)
        return output.read()
