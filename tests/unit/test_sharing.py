"""How drivers share due work: together they take all of it, and none is idle while items are due."""

from cloudmart.kernel.ids import new_id
from cloudmart.kernel.sharing import ALONE, Share, itself

KEYS = [new_id() for _ in range(200)]


def shares_of(keys, drivers, most):
    return [Share(number, drivers).of(keys, most, key=itself) for number in range(drivers)]


def test_drivers_that_know_each_other_take_different_items_and_together_all():
    shares = shares_of(KEYS, 4, len(KEYS))
    assert sorted(key for share in shares for key in share) == sorted(KEYS)
    assert all(len(share) > 20 for share in shares), "none has nearly everything"


def test_a_driver_takes_the_first_of_its_items_in_their_order():
    assert ALONE.of(KEYS, 20, key=itself) == KEYS[:20]
    everything, few = Share(1, 4).of(KEYS, 200, key=itself), Share(1, 4).of(KEYS, 7, key=itself)
    assert few == everything[:7] and everything == sorted(everything, key=KEYS.index)


def test_the_items_of_a_driver_that_has_died_are_taken_by_the_others():
    left = Share(0, 4).of(KEYS, 200, key=itself)
    for number in (1, 2, 3):
        taken = Share(number, 4).of(left, 20, key=itself)
        assert set(taken) <= set(left)
        assert len(taken) == min(20, -(-len(left) // 4)), "no more than a fair part: the others take some too"


def test_a_single_due_item_is_found_by_every_driver():
    assert shares_of(KEYS[:1], 24, 20) == [KEYS[:1]] * 24
    assert shares_of([], 24, 20) == [[]] * 24


def test_a_driver_reads_more_items_the_more_drivers_there_are():
    assert (ALONE.window(20), Share(5, 24).window(20)) == (20, 480)
