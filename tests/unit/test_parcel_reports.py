"""What a carrier's words for a parcel's progress, and for its time, mean."""

from datetime import UTC, datetime

import pytest

from shipping.carriers.reports import Progress, report_of

pytestmark = pytest.mark.any_database


def test_a_report_has_the_progress_and_its_time():
    at = datetime(2026, 11, 26, 3, tzinfo=UTC)
    for progress in Progress:
        report = report_of(progress.value, "2026-11-26T12:00:00+09:00")
        assert (report.progress, report.at) == (progress, at)
        assert report.at.tzinfo == UTC, "an event shows it as the API does"


@pytest.mark.parametrize(
    "time",
    [
        None,
        "",
        "yesterday",
        1764126000,
        "2026-11-26",
        "2026-11-26T12:00:00",
        "2026-13-01T00:00Z",
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_a_time_that_is_unreadable_or_names_no_zone_is_not_known(time):
    assert report_of("shipped", time).at is None


def test_a_parcel_that_has_not_left_has_no_report():
    assert report_of("arranged", "2026-11-26T12:00:00Z") is None
