"""Commands that end: migrations, books, tokens."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping

from cloudmart.deploy.local.shop import ROOT
from cloudmart.deploy.local.supervisor import Supervisor


class Jobs:
    """Runs management commands while the supervisor tends its components."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def manage(self, *arguments: str, environment: Mapping[str, str]) -> str:
        """Returns the command's output. Raises CalledProcessError, or Stopped."""
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "manage.py", *arguments]
        with tempfile.TemporaryFile("w+") as output:
            job = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=output)
            try:
                while job.poll() is None:
                    self._supervisor.tend()
            finally:
                job.kill()
                job.wait()
            if job.returncode:
                raise subprocess.CalledProcessError(job.returncode, command)
            output.seek(0)
            return output.read().strip()
