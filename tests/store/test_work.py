"""Which worker does what: limits, order, and what happens when one is gone."""

from __future__ import annotations

from service.store.index import Index
from service.store.orders import Order, Share, Start
from service.store.records import Begin, State, Version
from service.store.work import KILLED
from tests.store.builders import STUDY, arrival, at

FIRST, SECOND = Share("worker-1", parallel=1), Share("worker-2", parallel=2)


def waiting(index: Index, number: int) -> list[Version]:
    """So many studies that wait for their analysis, oldest first."""
    for study in range(number):
        index.add_instance(arrival(study, study=f"1.2.{study}"))
        index.close_version(f"1.2.{study}", at(60 + study))
    return index.waiting_jobs()


def key(of: Version) -> tuple[str, str, int]:
    """As a job names it."""
    return of.study_instance_uid, of.content_version, of.attempt


def test_a_version_waits_for_a_series_once(index: Index) -> None:
    (job,) = waiting(index, 1)
    study, content = job.study_instance_uid, job.content_version
    index.work.claim(FIRST)
    assert index.work.may_wait(study, content) == at(0)
    assert index.work.start(key(job), "worker-1", "Looking.") is Start.GO
    assert index.work.lacks(key(job), "a delayed series", "Waiting for a delayed series.", at(70))
    assert index.work.may_wait(study, content) is None
    (activity,) = index.activities()
    assert (activity.lacks, activity.sentence) == ("a delayed series", "Waiting for a delayed series.")
    assert not index.work.lacks(key(job), "a t2 series", "Waiting.", at(71)), "the job has ended"


def test_what_comes_later_is_looked_at_anew(index: Index) -> None:
    (job,) = waiting(index, 1)
    index.work.start(key(job), "worker-1", "Looking.")
    index.work.lacks(key(job), "a delayed series", "Waiting for a delayed series.", at(70))
    index.add_instance(arrival(7, study=job.study_instance_uid, seconds=80))
    (activity,) = index.activities()
    assert activity.lacks == ""
    newer = index.close_version(job.study_instance_uid, at(90))
    assert newer.content_version != job.content_version
    assert index.work.may_wait(job.study_instance_uid, newer.content_version) == at(80)


def test_a_person_ends_the_waiting_for_a_series(index: Index) -> None:
    """Before it has begun, and while it lasts."""
    index.add_instance(arrival(1))
    index.operators.complete(STUDY, Order("a", at(5)))
    (job,) = index.waiting_jobs()
    assert index.work.may_wait(STUDY, job.content_version) is None

    index.add_instance(arrival(2, seconds=10))
    job = index.close_version(STUDY, at(20))
    index.work.start(key(job), "worker-1", "Looking.")
    index.work.lacks(key(job), "a delayed series", "Waiting for a delayed series.", at(21))
    index.operators.complete(STUDY, Order("a", at(30)))
    (again,) = index.waiting_jobs()
    assert (again.content_version, again.attempt, again.state) == (job.content_version, job.attempt + 1, State.QUEUED)
    assert index.work.may_wait(STUDY, job.content_version) is None


def test_each_worker_takes_what_it_has_room_for_and_only_one_gets_it(index: Index) -> None:
    jobs = waiting(index, 4)
    taken = [one.job_id for one in index.work.claim(FIRST)] + [one.job_id for one in index.work.claim(SECOND)]
    assert taken == [one.job_id for one in jobs[:3]]
    assert index.work.claim(FIRST) == []
    assert [one.job_id for one in index.work.jobs_of("worker-2")] == taken[1:]


def test_all_workers_together_have_a_limit(index: Index) -> None:
    waiting(index, 4)
    index.work.claim(Share("worker-1", 3, in_all=2))
    assert index.work.claim(Share("worker-2", 3, in_all=2)) == []


def test_room_is_there_again_when_an_analysis_has_ended(index: Index) -> None:
    waiting(index, 2)
    (first,) = index.work.claim(FIRST)
    index.set_state(first.study_instance_uid, first.content_version, State.DELIVERING, "Being sent.")
    assert len(index.work.claim(FIRST)) == 1


def test_what_need_only_be_sent_takes_no_room(index: Index) -> None:
    jobs = waiting(index, 3)
    for one in jobs[1:]:
        index.work.reached(key(one), Begin.DELIVER)
    assert len(index.work.claim(FIRST)) == 3


def test_what_a_dead_worker_left_is_begun_anew_where_it_stood(index: Index) -> None:
    (job,) = waiting(index, 1)
    index.work.claim(FIRST)
    index.work.reached(key(job), Begin.DELIVER)
    (anew,) = index.work.take_over(["worker-1"])
    assert (anew.attempt, anew.state, anew.owner, anew.begin) == (2, State.QUEUED, "", Begin.DELIVER)
    assert index.work.take_over(["worker-1"]) == []


def test_a_worker_that_comes_back_finds_that_its_job_counts_for_nothing(index: Index) -> None:
    (job,) = waiting(index, 1)
    index.work.claim(FIRST)
    assert index.work.start(key(job), "worker-1", "At it.") is Start.GO
    index.work.take_over(["worker-1"])
    assert not index.work.is_wanted(key(job))
    assert not index.work.reached(key(job), Begin.DELIVER)
    assert not index.set_progress(job.study_instance_uid, job.content_version, "margin", 50, attempt=1)
    assert index.work.start(key(job), "worker-1", "At it.") is Start.STALE


def test_an_analysis_that_takes_its_worker_with_it_is_poison_in_the_end(index: Index) -> None:
    """Whether the same worker goes on with it or another takes it over: the count goes with the version."""
    (job,) = waiting(index, 1)
    for kill in range(KILLED):
        index.work.claim(Share(f"worker-{kill}"))
        assert index.work.start(key(job), f"worker-{kill}", "At it.") is Start.GO
        (job,) = index.work.take_over([f"worker-{kill}"])
    assert index.work.start(key(job), "worker-9", "At it.") is Start.POISON


def test_an_analysis_that_came_back_is_no_poison(index: Index) -> None:
    (job,) = waiting(index, 1)
    for _time in range(KILLED + 2):
        assert index.work.start(key(job), "worker-1", "At it.") is Start.GO
        index.work.came_back(key(job))


def test_an_analysis_is_wanted_while_a_late_image_arrives_but_not_when_it_was_cancelled(index: Index) -> None:
    (job,) = waiting(index, 1)
    index.work.start(key(job), "worker-1", "At it.")
    index.add_instance(arrival(9, study=job.study_instance_uid))
    assert index.work.is_wanted(key(job))
    index.set_state(job.study_instance_uid, job.content_version, State.CANCELLED, "")
    assert index.work.is_wanted(key(job))  # the state is that of the newer content


def test_workers_show_what_they_have(index: Index) -> None:
    waiting(index, 3)
    for share in (FIRST, SECOND):
        index.machines.join(share.worker, "node", "0.1.0", "2", at(0))
        index.machines.beat(share.worker, share.parallel, at(5))
        index.work.claim(share)
    assert [(one.name, one.jobs, one.parallel, one.seen_at) for one in index.machines.all()] == [
        ("worker-1", 1, 1, at(5)),
        ("worker-2", 2, 2, at(5)),
    ]


def test_a_worker_whose_workflows_have_another_shape_is_told_so(index: Index) -> None:
    assert index.machines.join("worker-1", "node", "0.1.0", "2", at(0))
    assert index.machines.join("worker-1", "node", "0.2.0", "2", at(1))
    assert not index.machines.join("worker-1", "node", "0.3.0", "3", at(2))
    index.machines.leave("worker-1")
    assert [one.left for one in index.machines.all()] == [True]
