"""The pure parts of the benchmarks: percentiles, the schedule of the open loop, and promises."""

import json
import os
import random
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import inf
from threading import Thread

import pytest

from benchmarks.database import Counts
from benchmarks.loads import CROWD, CROWD_MINUTE, FLOOR, MANY_BOOKS, STYLES, WITH_KEYS, Sample, all_loads, cases_of
from benchmarks.open_loop import Client, schedule
from benchmarks.processes import process_listening_on
from benchmarks.promises import goals, promises
from benchmarks.relay.backlog import Backlog
from benchmarks.relay.counts import Counts as Arrivals
from benchmarks.relay.figures import Relaying
from benchmarks.relay.figures import Sample as RelaySample
from benchmarks.results import write_json
from benchmarks.scale.broker import Broker
from benchmarks.table import table
from benchmarks.window import Window, percentile
from tests.processes import free_port

pytestmark = pytest.mark.any_database


def sample(orders_per_second=100.0, latency=50.0, not_2xx=0):
    return Sample(Window(orders_per_second, [latency] * 100, not_2xx), Counts(100, 3000, 300), memory=90.0)


@pytest.fixture
def cases():
    """Every case with one sample that keeps every promise."""
    cases = cases_of(all_loads(clients=16))
    for case in cases.values():
        case.samples.append(sample())
    return cases


def relay_sample(orders_per_second, not_2xx=0):
    window = Window(orders_per_second, [50.0] * 100, not_2xx)
    return RelaySample(
        window, 12.5, webhooks=1000, events=8000, behind=Backlog(3, 200, 100), caught_up=2.5, mailed=4.0
    )


@pytest.fixture
def relaying():
    """Two rounds that keep every promise."""
    relaying = Relaying()
    for (_, is_on), samples in relaying.samples.items():
        samples.extend(relay_sample(96 if is_on else 100) for _ in range(2))
    return relaying


def missed(figures):
    return [figure.what for figure in figures if not figure.is_kept]


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.95, 95), (0.99, 99), (1.0, 100)])
def test_a_percentile_is_the_smallest_value_that_the_share_does_not_exceed(share, value):
    assert percentile(range(1, 101), share) == value


def test_a_percentile_of_few_values_is_one_of_them():
    assert percentile([7], 0.5) == percentile([7], 0.99) == 7
    assert percentile([1, 2, 3], 0.99) == 3


def test_the_schedule_has_the_rate_and_is_ascending_for_each_client():
    due = schedule(rate=50, seconds=20, clients=50, dice=random.Random(1))
    moments = [moment for client in due for moment in client]
    assert len(due) == 50 and len(moments) == 1000
    assert all(client == sorted(client) for client in due)
    assert min(moments) >= 0 and max(moments) < 20
    assert 400 < sum(moment < 10 for moment in moments) < 600
    assert all(5 < len(client) < 45 for client in due)


class SlowHandler(BaseHTTPRequestHandler):
    """Takes 50 ms for each request, and closes a connection that is idle for 100 ms."""

    protocol_version = "HTTP/1.1"
    timeout = 0.1

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.05)
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def slow_server():
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowHandler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server
        server.shutdown()


def client_of(port, due):
    client = Client(port, "token", STYLES[0], books=1, due=due, begin=time.monotonic())
    client.run()
    return client


def test_an_order_that_waits_for_the_one_before_counts_from_when_it_was_due(slow_server):
    client = client_of(slow_server.server_port, due=[0, 0, 0])
    assert client.not_2xx == 0
    assert all(latency >= 50 * number for number, latency in enumerate(client.latencies, 1))


def test_a_client_whose_idle_connection_was_closed_makes_a_new_one(slow_server):
    client = client_of(slow_server.server_port, due=[0, 0.4])
    assert client.not_2xx == 0
    assert len(client.latencies) == 2


def test_the_orders_of_a_client_that_cannot_connect_count_as_failed():
    client = client_of(free_port(), due=[0, 0])
    assert client.not_2xx == len(client.latencies) == 2


def test_percentiles_are_those_of_all_rounds(cases):
    case = cases[CROWD, STYLES[0]]
    case.samples.append(sample(latency=90.0))
    assert (case.percentile(0.5), case.percentile(0.51)) == (50.0, 90.0)


def test_a_case_without_orders_keeps_no_promise(cases):
    case = cases[CROWD_MINUTE, STYLES[0]]
    case.samples = [Sample(Window(0.0, []), Counts(0, 0, 0), memory=90.0)]
    assert case.percentile(0.99) == inf
    assert missed(promises(cases)) == [f"p99, {CROWD_MINUTE}, {STYLES[0]}"]


def test_all_promises_are_kept(cases):
    assert missed(promises(cases)) == []
    assert len(list(promises(cases))) == 6


@pytest.mark.parametrize(("load", "limit"), [(CROWD, 500), (CROWD_MINUTE, 100)])
def test_a_p99_at_its_limit_is_a_missed_promise(cases, load, limit):
    for style, latency in zip(STYLES, (limit - 1, limit), strict=True):
        cases[load, style].samples = [sample(latency=latency)]
    assert missed(promises(cases)) == [f"p99, {load}, {STYLES[1]}"]


def test_on_a_slow_machine_twice_the_p99_of_the_floor_is_enough(cases):
    cases[CROWD, FLOOR].samples = [sample(latency=300)]
    for style, latency in zip(STYLES, (599, 601), strict=True):
        cases[CROWD, style].samples = [sample(latency=latency)]
    assert missed(promises(cases)) == [f"p99, {CROWD}, {STYLES[1]}"]


def test_a_response_that_is_not_2xx_under_any_load_is_a_missed_promise(cases):
    cases[WITH_KEYS, STYLES[0]].samples.append(sample(not_2xx=1))
    assert missed(promises(cases)) == [f"not 2xx, all loads, {STYLES[0]}"]


def test_a_goal_is_the_median_of_the_rounds(cases):
    cases[MANY_BOOKS, FLOOR].samples = [sample(100), sample(100), sample(100)]
    cases[MANY_BOOKS, STYLES[0]].samples = [sample(10), sample(52), sample(99)]
    cases[MANY_BOOKS, STYLES[1]].samples = [sample(10), sample(41), sample(99)]
    for style in STYLES:
        cases[WITH_KEYS, style].samples = [sample(50), sample(50), sample(50)]
    assert missed(goals(cases)) == [f"of the floor, {MANY_BOOKS}, {STYLES[1]}"]


def test_the_table_has_a_row_for_every_case(cases):
    _, *rows = table(cases).splitlines()
    assert [row.split("  ")[0] for row in rows] == [load for load, _ in cases]


def test_the_json_has_every_case_with_its_percentiles_and_the_promises(cases, relaying, tmp_path):
    cases[CROWD, STYLES[0]].samples = [Sample(Window(100.0, range(1, 101)), Counts(100, 3000, 300), memory=90.0)]
    cases[CROWD, STYLES[1]].samples = [Sample(Window(0.0, []), Counts(0, 0, 0), memory=90.0)]
    write_json(tmp_path / "new" / "bench.json", cases, relaying, ["1 copies still reserved"], "2 cores")
    content = json.loads((tmp_path / "new" / "bench.json").read_text())
    by_case = {(case["load"], case["subject"]): case for case in content["cases"]}
    assert by_case.keys() == cases.keys()
    assert by_case[CROWD, STYLES[0]]["percentiles"] == [1, *range(1, 101)]
    assert by_case[CROWD, STYLES[1]]["percentiles"] == []
    assert [promise["is_kept"] for promise in content["promises"]].count(False) == 1
    assert [each["orders_per_second"] for each in content["relay"]] == [[100, 100], [96, 96]] * 2
    assert content["problems"] == ["1 copies still reserved"]


def test_webhooks_and_streams_may_cost_one_order_in_twenty(relaying):
    assert missed(relaying.promises()) == []
    relaying.samples[STYLES[0], True] = [relay_sample(96), relay_sample(93.8)]
    assert missed(relaying.promises()) == [f"with webhooks and streams, of without, {STYLES[0]}"]


def test_their_price_is_the_median_of_the_rounds_whose_windows_are_compared_in_pairs(relaying):
    for is_on, rates in ((False, (50, 100, 200)), (True, (48, 120, 96))):
        relaying.samples[STYLES[0], is_on] = [relay_sample(rate) for rate in rates]
    assert relaying.share(STYLES[0]) == 0.96


@pytest.mark.parametrize("is_on", [False, True])
def test_a_response_that_is_not_2xx_beside_a_worker_is_a_missed_promise(relaying, is_on):
    relaying.samples[STYLES[1], is_on].append(relay_sample(96, not_2xx=1))
    relaying.samples[STYLES[1], not is_on].append(relay_sample(96))
    assert missed(relaying.promises()) == [f"not 2xx beside a worker, {STYLES[1]}"]


def test_the_table_says_how_far_the_worker_was_behind_and_how_long_it_took_to_catch_up(relaying):
    _, without, with_both, *others = relaying.table().splitlines()
    assert without.split() == [STYLES[0], "off", "100.0", "50", "50", "-", "-", "-", "-", "3", "-", "4.0", "0"]
    assert with_both.split() == [
        *(STYLES[0], "on", "96.0", "50", "50", "0.960", "80", "640", "200", "+", "100", "3", "2.5", "4.0", "0")
    ]
    assert len(others) == 2


def test_each_event_has_to_arrive_once():
    assert Arrivals(10, 70, delivered=10, received=10, streamed=80).problems() == []
    assert Arrivals(10, 70, delivered=9, received=11, streamed=80).problems() == [
        "9 webhooks delivered instead of 10",
        "11 webhooks received instead of 10",
    ]


def test_the_process_that_listens_on_a_port_is_found():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert process_listening_on(port) == os.getpid()
    with pytest.raises(StopIteration):
        process_listening_on(port)


@pytest.mark.parametrize(("late", "not_2xx", "missed"), [(59, 0, 0), (61, 0, 2), (10, 1, 2)])
def test_the_death_of_rabbitmq_may_raise_the_p95_by_less_than_50_ms_and_costs_no_order(late, not_2xx, missed):
    broker = Broker(rate=10, seconds=10)
    for style in STYLES:
        broker.add("up", style, Window(10, [10.0] * 20, 0))
        broker.add("down", style, Window(10, [10.0] * 10 + [float(late)] * 10, not_2xx))
    assert [promise.is_kept for promise in broker.promises()].count(False) == missed
