"""The report's load in small: our real server, a worker and the sandbox, and every order checked afterwards."""

import json

import pytest

from benchmarks.loads import STYLES
from benchmarks.report.document import as_json, as_markdown
from benchmarks.report.load import Options, measure
from benchmarks.report.stories import CANCELLED, CARRIER_DOWN, DECLINED_PAYMENT, PLAIN, STORIES, UNCHECKED
from tests.processes import ROOT, database_url

pytestmark = [pytest.mark.slow, pytest.mark.any_database]

FEW = Options(users=5, rate=30, seconds=1, rounds=1, warm_up=0.1)


@pytest.fixture
def report(transactional_db, tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", database_url())
    monkeypatch.setenv("PROVIDER_TEXTS", "plain")
    return measure(FEW, tmp_path)


def shape(value):
    """Returns the names in nested objects, and in the first element of a list; not those that orders decide."""
    if isinstance(value, dict):
        return {key: None if key in {"course", "responses"} else shape(each) for key, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def stored_and_undone(style):
    """Returns how many orders of the load must have been stored, and undone."""
    names = {story.name for story in (DECLINED_PAYMENT, CARRIER_DOWN, CANCELLED, UNCHECKED)}
    return sum(len(story.milliseconds) for story in style.stories if story.name in names)


def test_every_story_of_the_load_ends_as_it_must_in_both_styles(report):
    assert report.problems == []
    for style in report.styles:
        assert (style.orders, style.errors.number, style.errors.examples) == (30, 0, [])
        assert style.rollback.failed == style.rollback.undone >= stored_and_undone(style), style.rollback.examples
        assert {story.name for story in style.stories if story.milliseconds} == {story.name for story in STORIES}
        assert style.phases and all(phase.mean > 0 for phase in style.phases)
        assert {each.story: bool(each.milliseconds) for each in style.compensations}[CANCELLED.name]
    assert [style.style for style in report.styles] == list(STYLES)
    orchestration, choreography = (style.course for style in report.styles)
    assert list(orchestration)[-1] == "complete_order" and list(choreography)[-1] == "OrderCompleted"
    assert PLAIN.name in as_markdown(report)
    committed = json.loads((ROOT / "notebooks" / "data" / "report.json").read_text())
    assert shape(json.loads(as_json(report))) == shape(committed), "the notebook's data: make report, make notebook"
