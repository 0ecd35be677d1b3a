"""Bells say which training jobs have news, and wake who waits for them."""

import threading

from alfine.jobs.wake import Bell, Wake


def test_a_bell_names_what_had_news_since_it_was_asked_last():
    bell = Bell()
    assert bell.take() == set()
    for name in ("one", "two", "one"):
        bell.ring(name)
    assert (bell.take(), bell.take()) == ({"one", "two"}, set())
    for name in ("one", None, "two"):
        bell.ring(name)
    assert (bell.take(), bell.take()) == (None, set())


def test_whoever_waits_goes_on_at_the_next_ring_at_once_if_it_rang_before_and_after_the_time():
    bell, woken = Bell(), threading.Event()
    bell.ring("one")
    bell.wait(None)
    bell.wait(None)  # nobody has taken the news yet
    bell.take()
    bell.wait(0.0)
    thread = threading.Thread(target=lambda: (bell.wait(None), woken.set()))
    thread.start()
    assert not woken.is_set()
    bell.ring("two")
    thread.join(20)
    assert woken.is_set()
    assert bell.take() == {"two"}


def test_each_tuning_job_has_a_bell_while_it_is_run():
    wake = Wake()
    wake.set("job", "too early")
    with wake.listening("job") as bell, wake.listening("other") as other:
        wake.set("job", "one")
        assert (bell.take(), other.take()) == ({"one"}, set())
        wake.set("other")
        assert (bell.take(), other.take()) == (set(), None)
        wake.set_all()
        assert (bell.take(), other.take()) == (None, None)
        with wake.listening("job") as later:  # by another loop, after a takeover within the process
            wake.set("job", "two")
        assert (bell.take(), later.take()) == (set(), {"two"})
    wake.set("job", "too late")
    assert bell.take() == set()


def test_a_loop_that_ends_leaves_the_bell_of_the_next_one():
    wake = Wake()
    first = wake.listening("job")
    first.__enter__()
    with wake.listening("job") as later:
        first.__exit__(None, None, None)
        wake.set("job", "one")
        assert later.take() == {"one"}
