"""Durations as people read them."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

SECOND = 1000
"""In milliseconds."""
MINUTE, HOUR, DAY = 60, 3600, 86_400
"""In seconds."""


def shown(milliseconds: float) -> str:
    """Returns such as `277 ms`, `4.2 s`, `41 s`, `3 min 54 s`, `5 h 12 min`, `2 d 3 h`."""
    rounded = max(0, round(milliseconds))
    if 0 < milliseconds < 0.05:
        return _("< 0.1 ms")
    if 0 < milliseconds < 9.95 and rounded != milliseconds:
        return _("%(number)s ms") % {"number": number_format(round(milliseconds, 1), 1)}
    if rounded < SECOND:
        return _("%(number)s ms") % {"number": rounded}
    if rounded < 9.95 * SECOND:
        return _("%(number)s s") % {"number": number_format(round(rounded / SECOND, 1), 1)}
    seconds = round(rounded / SECOND)
    if seconds < MINUTE:
        return _("%(number)s s") % {"number": seconds}
    if seconds < HOUR:
        minutes, left = divmod(seconds, MINUTE)
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": left}
    if seconds < DAY:
        hours, left = divmod(seconds, HOUR)
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": left // MINUTE}
    days, left = divmod(seconds, DAY)
    return _("%(days)s d %(hours)s h") % {"days": days, "hours": left // HOUR}
