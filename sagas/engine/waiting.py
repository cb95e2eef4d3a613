"""How a saga waits for another attempt: for how long, and when an operator must look."""

from django.conf import settings
from django.db.models import Case, When
from django.db.models.functions import Least

from cloudmart.database.clock import DatabaseNow
from cloudmart.kernel.backoff import backoff
from cloudmart.kernel.text import LONGEST_REASON, storable
from sagas.models import SagaInstance


def next_attempt(attempts: int) -> Case:
    """Returns when a saga is due after so many failed attempts: never after a deadline that lies ahead."""
    then = DatabaseNow() + backoff(attempts, settings.SAGA_BACKOFF, settings.SAGA_MAX_BACKOFF)
    return Case(When(deadline_at__gt=DatabaseNow(), then=Least(then, "deadline_at")), default=then)


def request_attention(saga: SagaInstance, cause: str, why: str, runs: int) -> None:
    """Marks the saga for an operator. `cause` is the code of a cause, and `why` what has happened in the last run."""
    failed = "1 run has" if runs == 1 else f"{runs} runs have"
    attention = storable(f"{failed} failed. {why}", LONGEST_REASON)
    SagaInstance.objects.filter(pk=saga.pk).update(attention=attention, attention_code=cause)
