"""What is recorded of the attempts of a provider call."""

from types import SimpleNamespace

import pytest
from django.utils import timezone

from cloudmart.providers.calling import call_provider
from cloudmart.providers.outcomes import Accepted, ProviderUnavailable

pytestmark = pytest.mark.any_database


def test_the_pause_before_an_attempt_is_not_part_of_it():
    answers = [ProviderUnavailable("503"), ProviderUnavailable("503"), Accepted("txn_1")]

    def call(intent):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pauses = []
    operation = SimpleNamespace(command="Charge", call=call)
    response = call_provider(
        operation, SimpleNamespace(is_new=True), before_retry=lambda: pauses.append(timezone.now())
    )
    first, *later = response.all_attempts
    assert [attempt.started >= pause for attempt, pause in zip(later, pauses, strict=True)] == [True, True]
    assert first.finished <= pauses[0]
