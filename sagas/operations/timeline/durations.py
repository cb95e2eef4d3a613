"""Durations as people read them."""

from django.utils.formats import number_format
from django.utils.translation import gettext as _

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000


def shown(milliseconds: float) -> str:
    """Returns such as `277 ms`, `4.2 s`, `41 s`, `3 min 54 s`, `5 h 12 min`, `2 d 3 h`."""
    rounded = max(0, round(milliseconds))
    if 0 < milliseconds < 0.05:
        return _("< 0.1 ms")
    if milliseconds < 10 and rounded != milliseconds:
        return _("%(number)s ms") % {"number": number_format(max(0.0, milliseconds), 1)}
    if rounded < SECOND:
        return _("%(number)s ms") % {"number": rounded}
    if rounded < 10 * SECOND:
        return _("%(number)s s") % {"number": number_format(rounded / SECOND, 1)}
    seconds = round(rounded / SECOND)
    if seconds < 60:
        return _("%(number)s s") % {"number": seconds}
    if rounded < HOUR:
        minutes, left = divmod(seconds, 60)
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": left}
    if rounded < DAY:
        hours, left = divmod(rounded, HOUR)
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": left // MINUTE}
    days, left = divmod(rounded, DAY)
    return _("%(days)s d %(hours)s h") % {"days": days, "hours": left // HOUR}
