"""What copies of a history share with it."""

import tracemalloc

from alfine.core.extended import ExtendedSet, extended_list, extended_mapping


def test_an_extended_list_has_the_items_of_its_beginning_and_its_own():
    shared = [1, 2, 3]
    first = extended_list(shared)
    shared.append(99)
    first.append(4)
    second = extended_list(first)
    second.append(5)
    first.append(6)
    assert (list(first), list(second)) == ([1, 2, 3, 4, 6], [1, 2, 3, 4, 5])
    assert (second[0], second[-1], second[2:4], second[::-2]) == (1, 5, [3, 4], [5, 3, 1])
    assert (len(second), 99 in second, shared) == (5, False, [1, 2, 3, 99])


def test_an_extended_set_has_the_items_of_its_beginning_and_its_own():
    shared = ExtendedSet()
    shared.add("a")
    first = shared.copy()
    shared.add("b")
    first.add("a")
    first.add("c")
    second = first.copy()
    second.add("b")
    assert (list(shared), list(first), list(second)) == (["a", "b"], ["a", "c"], ["a", "c", "b"])
    assert ("b" in first, "b" in second, len(first), len(second)) == (False, True, 2, 3)
    assert first == {"a", "c"}


def test_an_extended_mapping_changes_no_shared_entry():
    shared = {1: "a"}
    first = extended_mapping(shared)
    first[1], first[2] = "b", "c"
    second = extended_mapping(first)
    second[3] = "d"
    assert (shared, dict(first), dict(second)) == ({1: "a"}, {1: "b", 2: "c"}, {1: "b", 2: "c", 3: "d"})


def allocated(copy, items):
    """The bytes that a copy takes at the most while it is made."""
    tracemalloc.start()
    copy(items)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_copy_takes_no_more_memory_of_something_long():
    items = ExtendedSet()
    for item in range(5000):
        items.add(item)
    long = ((extended_list, [*range(5000)]), (extended_mapping, dict.fromkeys(range(5000))), (ExtendedSet.copy, items))
    assert all(allocated(copy, found) < 5000 for copy, found in long)


def test_a_copy_of_a_copy_of_a_copy_is_as_quick_to_read():
    items, entries = [7], {"a": 7}
    for _ in range(1500):
        items, entries = extended_list(items), extended_mapping(entries)
    assert (items[0], entries["a"]) == (7, 7), "not each through all that were made before"
