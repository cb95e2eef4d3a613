"""What a worker does with the events that were recorded: tests do it themselves."""

from cloudmart.outbox.consumers import pass_on
from cloudmart.outbox.models import Consumer
from cloudmart.webhooks.recording import receive as record_deliveries
from sagas.desk.mails import send_mails


def pass_events_on() -> None:
    """Passes the recorded events on to the mail and the webhooks, and sends the mails that are due."""
    send_mails()
    pass_on(Consumer.WEBHOOKS, record_deliveries)
