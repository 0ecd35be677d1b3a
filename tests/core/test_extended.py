"""What copies of a history share with it."""

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
