"""Payment providers that turn on the process which asks them; for one of its own, that PAYMENT_GATEWAY tells so."""

import os
import signal
from typing import Any

from cloudmart.providers.outcomes import Outcome
from payments.gateways.http import HttpGateway


class Stopping(HttpGateway):
    """Stops the process in the midst of a charge, until somebody has it continue."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().charge(key, **charge)


class KillingBefore(HttpGateway):
    """Kills the process before it charges."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().charge(key, **charge)


class KillingAfter(HttpGateway):
    """Charges, and kills the process before it can write that down."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        super().charge(key, **charge)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
