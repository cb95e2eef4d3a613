"""Payment gateways that stop or kill the calling process, for processes with their own PAYMENT_GATEWAY."""

import os
import signal
from typing import Any

from cloudmart.providers.outcomes import Outcome
from payments.gateways.http import HttpGateway


class Stopping(HttpGateway):
    """Stops the process during a charge, until it receives SIGCONT."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().charge(key, **charge)


class KillingBefore(HttpGateway):
    """Kills the process before it charges."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().charge(key, **charge)


class KillingAfter(HttpGateway):
    """Charges, and kills the process before it records that."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        super().charge(key, **charge)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
