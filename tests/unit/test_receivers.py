"""The receiver of webhooks for the tests behaves as it is told, and loses nothing."""

import httpx
import pytest

from tests.receivers import running_receiver

pytestmark = pytest.mark.any_database

EVENT = {"id": "1", "type": "test"}
PATIENCE = httpx.Timeout(5, read=0.3)


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    with running_receiver(tmp_path_factory.mktemp("receiver")) as receiver:
        yield receiver


def send(receiver, behaviour="", webhook="1"):
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        return client.post(receiver.url(behaviour), json=EVENT, headers={"webhook-id": webhook})


@pytest.mark.parametrize(("behaviour", "status"), [("accept", 204), ("error", 500), ("gone", 410), ("redirect", 307)])
def test_it_responds_as_the_path_says(receiver, behaviour, status):
    assert send(receiver, behaviour).status_code == status
    webhook = receiver.received()[-1]
    assert (webhook.id, webhook.event, webhook.is_accepted) == ("1", EVENT, behaviour == "accept")
    assert webhook.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        ("hang", httpx.ReadTimeout),
        ("close", httpx.RemoteProtocolError),
        ("garbage", httpx.RemoteProtocolError),
    ],
)
def test_it_can_respond_nothing_or_nonsense(receiver, behaviour, error):
    with pytest.raises(error):
        send(receiver, behaviour)


@pytest.mark.parametrize("behaviour", ["endless", "drip"])
def test_its_response_can_be_endless(receiver, behaviour):
    with (
        httpx.Client(trust_env=False, timeout=PATIENCE) as client,
        client.stream("POST", receiver.url(behaviour), json=EVENT) as response,
    ):
        content = response.iter_raw(2)
        assert (response.status_code, next(content), next(content)) == (200, b"xx", b"xx")


def test_what_it_has_accepted_outlives_it(tmp_path):
    with running_receiver(tmp_path) as receiver:
        send(receiver, webhook="1")
        receiver.kill()
        with (tmp_path / "received.jsonl").open("a") as file:
            file.write('{"id": "unfinished')
        receiver.behave("error")
        receiver.start()
        assert send(receiver, webhook="2").status_code == 500
        receiver.behave("accept")
        send(receiver, webhook="3")
        assert [webhook.id for webhook in receiver.received()] == ["1", "2", "3"]
        assert [webhook.id for webhook in receiver.accepted()] == ["1", "3"]
