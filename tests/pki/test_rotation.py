"""The state machine: single decisions in tables, and years of replicas, crashes and slow API servers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gpu_admission.pki.authority import create_authority, issue_leaf
from gpu_admission.pki.bundle import verifies
from gpu_admission.pki.certificate_set import from_files, to_files
from gpu_admission.pki.rotation import PublishedBundle, RotationPlan, RotationStep, decide, due, wanted
from gpu_admission.pki.rotation_steps import bring_up, perform
from gpu_admission.pki.subject_alt_names import names_of, parse_name, serving_names

START = datetime(2030, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = serving_names("gpu-admission", "gpu-admission")
PLAN = RotationPlan(NAMES)


def made(at=START, plan=PLAN):
    return perform(RotationStep.CREATE, None, at, plan)


# ---------------------------------------------------------------- single decisions


@pytest.mark.parametrize(
    ("days", "step"),
    [
        (-400, RotationStep.CREATE),  # our clock is wrong, or was when it was made
        (0, RotationStep.WAIT),
        (19.9, RotationStep.WAIT),
        (20, RotationStep.RENEW),
        (29.9, RotationStep.RENEW),
        (30.1, RotationStep.REISSUE),
        (300, RotationStep.REISSUE),
        (365.1, RotationStep.CREATE),
    ],
)
def test_a_certificate_as_time_goes_by(days, step):
    assert decide(made(), [], START + DAY * days, PLAN) is step


def test_nothing_stored_means_create_and_then_rest():
    assert decide(None, [], START, PLAN) is RotationStep.CREATE
    assert decide(made(), [], START, PLAN) is RotationStep.WAIT


def test_jitter_only_renews_earlier_and_by_a_twentieth_of_the_life():
    leaf = made().leaf.certificate
    assert due(leaf, 0.0) == START + DAY * 20
    assert due(leaf, 1.0) == START + DAY * 18.5


def test_a_certificate_without_a_wanted_name_is_replaced_and_keeps_the_names_it_had():
    other = replace(PLAN, names=(parse_name("other.example.com"),))
    stored = made()
    assert decide(stored, [], START, other) is RotationStep.REISSUE
    leaf = perform(RotationStep.REISSUE, stored, START, other).leaf.certificate
    assert set(names_of(leaf)) == {*NAMES, *other.names}


@pytest.mark.parametrize("lost", ["missing", "another CA's", "expired"])
def test_a_certificate_nobody_would_accept_is_replaced_at_once(lost):
    stored = made()
    leaves = {
        "missing": None,
        "another CA's": issue_leaf(create_authority(START), NAMES, START),
        "expired": issue_leaf(stored.authority, NAMES, START, timedelta(minutes=1)),
    }
    at = START + timedelta(minutes=2)
    broken = replace(stored, leaf=leaves[lost])
    assert decide(broken, [], at, PLAN) is RotationStep.REISSUE
    repaired = perform(RotationStep.REISSUE, broken, at, PLAN)
    assert repaired.authority == stored.authority
    assert verifies(repaired.trusted, (repaired.leaf.certificate,), at)


def staged(at=START + DAY * 244):
    stored = bring_up(made(), at, PLAN)
    assert stored.successor is not None
    return stored, at


def test_a_ca_is_followed_by_the_next_at_two_thirds_of_its_life_and_signs_on_meanwhile():
    stored, at = staged()
    assert decide(stored, [PublishedBundle(None)], at, PLAN) is RotationStep.WAIT
    later = at + DAY * 21
    assert decide(stored, [PublishedBundle(None)], later, PLAN) is RotationStep.RENEW
    leaf = perform(RotationStep.RENEW, stored, later, PLAN).leaf.certificate
    assert verifies((stored.authority.certificate,), (leaf,), later)


@pytest.mark.parametrize(
    ("published", "step"),
    [
        ([("both", -6)], RotationStep.PROMOTE),
        ([("both", -5)], RotationStep.PROMOTE),
        ([("both", -4)], RotationStep.WAIT),  # not every API server has seen it
        ([("both", None)], RotationStep.WAIT),
        ([("both", -6), ("unread", None)], RotationStep.WAIT),
        ([("both", -6), ("old", None)], RotationStep.PUBLISH),
        ([("both", -6), ("both", -1)], RotationStep.WAIT),
        ([("both", -6), ("both", -6)], RotationStep.PROMOTE),
        ([("unread", None)], RotationStep.WAIT),
        ([], RotationStep.WAIT),  # what is published is not known: later
    ],
)
def test_the_next_ca_signs_only_when_it_was_read_back_everywhere(published, step):
    stored, at = staged()
    bundles = {"both": stored.trusted, "old": (stored.authority.certificate,), "unread": None}
    seen = [
        PublishedBundle(bundles[kind], None if minutes is None else timedelta(minutes=-minutes))
        for kind, minutes in published
    ]
    assert decide(stored, seen, at, PLAN) is step


@pytest.mark.parametrize(
    ("published", "days_before_the_end", "step"),
    [
        ([], 30.5, RotationStep.WAIT),
        ([], 29.5, RotationStep.PROMOTE),  # while a certificate of the old one is still good
        ([PublishedBundle(None)], 29.5, RotationStep.WAIT),
        ([PublishedBundle(None)], 0.03, RotationStep.PROMOTE),  # no more to lose
    ],
)
def test_without_a_look_at_what_is_published_the_old_ca_signs_to_its_end(published, days_before_the_end, step):
    stored, at = staged()
    end = stored.authority.certificate.not_valid_after_utc
    while at < end - DAY * 31:
        at += DAY * 10
        stored = perform(RotationStep.RENEW, stored, at, PLAN)
    at = end - DAY * days_before_the_end
    stored = perform(RotationStep.RENEW, stored, min(at, end - DAY), PLAN)
    assert stored.leaf.certificate.not_valid_after_utc <= end
    assert decide(stored, published, at, PLAN) is step


def test_the_old_ca_is_dropped_after_its_last_certificate_and_not_before():
    stored, at = staged()
    last = stored.leaf.certificate
    stored = perform(RotationStep.PROMOTE, stored, at, PLAN)
    assert stored.successor is None
    assert len(stored.trusted) == 2
    assert verifies(stored.trusted, (last,), at)
    end = last.not_valid_after_utc
    before = bring_up(stored, end, PLAN)
    assert len(before.trusted) == 2
    after = bring_up(stored, end + timedelta(seconds=1), PLAN)
    assert after.trusted == (stored.authority.certificate,)
    assert after.dropped == stored.retired


# ---------------------------------------------------------------- clocks that were wrong


@pytest.mark.parametrize("days", [-400, -20, 400, 2000])
def test_a_ca_put_aside_by_a_wrong_clock_is_kept_and_comes_back(days):
    first, at = made(), START + DAY * 10
    wrong = bring_up(first, at + DAY * days, PLAN)
    assert wrong.authority != first.authority
    assert wrong.displaced == first.authority
    assert first.authority.certificate in wrong.trusted
    again = from_files(to_files(wrong))
    assert to_files(again) == to_files(wrong)
    right = bring_up(again, at, PLAN)
    assert right.authority.certificate == first.authority.certificate
    assert verifies(first.trusted, (right.leaf.certificate,), at)
    assert decide(right, [], at, PLAN) is RotationStep.WAIT
    later = bring_up(right, at + DAY * 60, PLAN)
    assert later.authority.certificate == first.authority.certificate


@pytest.mark.parametrize(
    ("published", "step"),
    [
        ([], RotationStep.RESTORE),
        ([("both", 6)], RotationStep.RESTORE),
        ([("both", 4)], RotationStep.WAIT),  # not every API server has seen it
        ([("both", None)], RotationStep.WAIT),
        ([("both", 6), ("unread", None)], RotationStep.WAIT),
        ([("only the present one", None)], RotationStep.PUBLISH),
    ],
)
def test_it_signs_again_only_where_it_is_trusted(published, step):
    at = START + DAY * 10
    stored = bring_up(made(), START - DAY * 20, PLAN)  # certificates of a clock that was behind, valid at `at` no more
    stored = replace(stored, leaf=issue_leaf(stored.authority, NAMES, at))
    bundles = {"both": stored.trusted, "only the present one": (stored.authority.certificate,), "unread": None}
    seen = [
        PublishedBundle(bundles[kind], None if minutes is None else timedelta(minutes=minutes))
        for kind, minutes in published
    ]
    assert decide(stored, seen, at, PLAN) is step


def test_a_ca_that_has_really_expired_never_comes_back():
    stored = bring_up(made(), START + DAY * 400, PLAN)
    at = START + DAY * 400
    for _ in range(100):
        at += DAY * 10
        stored = bring_up(stored, at, PLAN)
        assert verifies(stored.trusted, (stored.leaf.certificate,), at)
        assert decide(stored, [], at, PLAN) in {RotationStep.WAIT, RotationStep.PROMOTE}
    assert len(stored.trusted) <= 3


@pytest.mark.parametrize("days", [0, 100, 250, 360])
def test_what_a_fast_clock_makes_is_valid_from_the_first_moment(days):
    stored = made()
    for step in (RotationStep.RENEW, RotationStep.STAGE, RotationStep.PROMOTE, RotationStep.REISSUE):
        stored = perform(step, stored, START + DAY * days, PLAN)
        for one in (stored.leaf, stored.authority):
            assert one.certificate.not_valid_before_utc == START - timedelta(hours=1)
    assert due(stored.leaf.certificate, 0.0) == START + DAY * (days + 20)


def test_a_small_step_back_after_a_change_of_the_ca_changes_nothing():
    stored = made()
    at = stored.authority.certificate.not_valid_after_utc - DAY * 29
    stored = bring_up(stored, at - DAY * 10, PLAN)
    stored = perform(RotationStep.PROMOTE, stored, at, PLAN)
    assert stored.displaced is not None  # it ends soon by this clock, so its key is worth nothing: unless that is wrong
    for minutes in (0, -1, -59):
        assert decide(stored, [], at + timedelta(minutes=minutes), PLAN) is RotationStep.WAIT
    assert decide(stored, [], at - DAY * 200, PLAN) is RotationStep.RESTORE


def test_renewing_many_times_keeps_what_is_stored_small():
    stored, at = made(), START
    for _ in range(50):
        at += timedelta(minutes=1)
        stored = perform(RotationStep.RENEW, stored, at, PLAN)
    assert len(stored.old) == 1
    assert sum(map(len, to_files(stored).values())) < 8192


def test_a_bundle_is_wanted_with_ours_without_dropped_ones_and_with_strangers_that_live():
    ours, stranger, dropped = (create_authority(START).certificate for _ in range(3))
    old = create_authority(START - DAY * 400).certificate
    found = (stranger, dropped, old)
    assert wanted((ours,), (dropped,), found, START) == (ours, stranger)
    assert wanted((ours,), (dropped,), (stranger, ours), START) == (stranger, ours)


@pytest.mark.parametrize("life", [timedelta(seconds=2), timedelta(minutes=1), DAY])
def test_short_lives_come_to_rest(life):
    plan = replace(PLAN, leaf_life=life, ca_life=life * 3)
    stored = bring_up(None, START, plan)
    assert decide(stored, [], START, plan) is RotationStep.WAIT


def test_every_state_survives_being_written_and_read():
    stored, at = staged()
    promoted = perform(RotationStep.PROMOTE, stored, at, PLAN)
    dropped = bring_up(promoted, at + DAY * 31, PLAN)
    assert dropped.old
    for state in (made(), stored, promoted, dropped):
        files = to_files(state)
        again = from_files(files)
        assert to_files(again) == files
        assert again.trusted == state.trusted
        assert again.dropped == state.dropped
