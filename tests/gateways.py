"""Payment gateways that stop or kill the calling process, for processes with their own PAYMENT_GATEWAY."""

import os
import signal
import sys
from threading import main_thread
from traceback import walk_stack
from typing import Any

from cloudmart.providers.outcomes import Outcome
from payments.gateways.http import HttpGateway
from tests.processes import wait_until


class Stopping(HttpGateway):
    """Stops the process during a charge, until it receives SIGCONT."""

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGSTOP)
        return super().charge(key, **charge)


class StoppingUntilTold(HttpGateway):
    """Stops the process during a charge, and charges once its main thread waits for the other ones to end.

    Without that, the charge and the steps after it may be faster than the main thread, which SIGTERM wakes.
    """

    def charge(self, key: str, **charge: Any) -> Outcome:
        os.kill(os.getpid(), signal.SIGSTOP)
        wait_until(_main_thread_joins)
        return super().charge(key, **charge)


def _main_thread_joins() -> bool:
    frames = walk_stack(sys._current_frames()[main_thread().ident or 0])
    return any(frame.f_code.co_name == "join" for frame, _ in frames)


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
