"""The policy, and the door that judges and opens in one step."""

import os
import threading

import pytest

from engine.paths import here
from engine.paths.door import make_folder, open_file, open_judged
from engine.paths.permits import Permit, Permits
from engine.paths.policy import ALL, READS, Policy, Purpose, Refused, Root, Why
from engine.paths.writing import free_place, place_of

READ, WRITE = Purpose.READ_TEXT, Purpose.WRITE_MODEL


@pytest.fixture
def tree(tmp_path):
    """`open` is allowed, `closed` is not; both have a secret, and `open` a link to the other."""
    for name in ("open", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "text.txt").write_text(name)
    (tmp_path / "open" / ".hidden").mkdir()
    (tmp_path / "open" / ".hidden" / "key").write_text("secret")
    (tmp_path / "open" / "out").symlink_to(tmp_path / "closed")
    return tmp_path


def policy_of(tree, purposes=ALL):
    return Policy((Root(str(tree / "open"), purposes),))


def why(policy, path, purpose=READ):
    with pytest.raises(Refused) as caught:
        policy.judge(str(path), purpose)
    return caught.value.why


def test_where_a_path_leads_is_judged_not_how_it_is_written(tree):
    policy = policy_of(tree)
    assert policy.judge(f"{tree}/closed/../open/text.txt", READ).real == str(tree / "open/text.txt")
    assert why(policy, tree / "open/out/text.txt") is Why.OUTSIDE
    assert why(policy, f"{tree}/open/../closed/text.txt") is Why.OUTSIDE
    assert policy.judge("text.txt", READ, str(tree / "open")).parts == ["text.txt"]


def test_hidden_files_need_a_root_of_their_own(tree):
    policy = policy_of(tree)
    assert why(policy, tree / "open/.hidden/key") is Why.HIDDEN
    named = policy.with_roots([Root(str(tree / "open/.hidden"))])
    assert named.judge(str(tree / "open/.hidden/key"), READ).real


def test_the_inner_of_two_roots_decides(tree):
    policy = Policy((Root(str(tree)), Root(str(tree / "closed"), frozenset())))
    assert policy.allows(str(tree / "open/text.txt"), READ)
    assert why(policy, tree / "closed/text.txt") is Why.CLOSED


def test_a_root_for_reading_takes_nothing(tree):
    assert why(policy_of(tree, READS), tree / "open/new.safetensors", WRITE) is Why.CLOSED


@pytest.mark.parametrize(
    "path, reason", [("a\x00b", Why.NUL), ("\ud800", Why.CHARACTERS), ("/" + "a" * 300, Why.UNUSABLE)]
)
def test_a_path_that_no_file_has_is_refused(tree, path, reason):
    assert why(policy_of(tree), path) is reason


def test_a_policy_survives_its_way_through_json(tree):
    policy = Policy((Root(str(tree), READS, ("*/attempts",), True),), True, ("owner",))
    assert Policy.from_dict(policy.to_dict()) == policy


def test_a_link_that_comes_between_the_judgement_and_the_opening_is_refused(tree):
    judged = policy_of(tree).judge(str(tree / "open/text.txt"), READ)
    (tree / "open/text.txt").unlink()
    (tree / "open/text.txt").symlink_to(tree / "closed/text.txt")
    with pytest.raises(Refused) as caught:
        open_judged(judged)
    assert caught.value.why is Why.CHANGED


def test_a_folder_that_somebody_swaps_all_the_time_never_leads_outside(tree):
    policy, done = policy_of(tree), threading.Event()
    (tree / "open/real").mkdir()
    (tree / "open/real/text.txt").write_text("open")

    def swap():
        while not done.is_set():
            (tree / "link").symlink_to(tree / "closed")
            (tree / "link").replace(tree / "open/now")
            (tree / "link").symlink_to(tree / "open/real")
            (tree / "link").replace(tree / "open/now")

    (tree / "open/now").symlink_to(tree / "open/real")
    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        for _ in range(500):
            try:
                with open_file(policy, str(tree / "open/now/text.txt"), READ) as file:
                    assert file.read() == b"open"
            except Refused:
                continue
    finally:
        done.set()
        swapping.join()


def test_a_pipe_is_no_file_and_is_not_waited_for(tree):
    os.mkfifo(tree / "open/pipe")
    with pytest.raises(Refused):
        open_file(policy_of(tree), str(tree / "open/pipe"), READ)


def test_a_folder_is_made_in_an_open_one_alone(tree):
    policy = policy_of(tree)
    assert make_folder(policy, str(tree / "open/new")) == str(tree / "open/new")
    with pytest.raises(Refused):
        make_folder(policy, str(tree / "open/out/new"))
    assert not (tree / "closed/new").exists()


def test_a_permit_holds_until_something_is_swapped(tree):
    policy = policy_of(tree)
    permit = Permit.of("concepts.0.path", policy.judge(str(tree / "open/text.txt"), READ))
    permits = Permits(policy, (permit,))
    assert Permits.from_spec({"door": permits.to_dict()}) == permits
    assert permits.problems() == []
    (tree / "open/text.txt").rename(tree / "open/old.txt")
    (tree / "open/text.txt").write_text("another")
    assert [one.field for one in permits.problems()] == ["concepts.0.path"]


def test_a_destination_whose_folder_becomes_a_link_is_not_written(tree):
    policy = policy_of(tree)
    final = tree / "open/models/a.safetensors"
    here.install(Permits(policy, (Permit.of("output_model_destination", policy.judge(str(final), WRITE)),)))
    try:
        with place_of(final) as place:
            place.write_text("model")
        assert final.read_text() == "model"
        final.unlink()
        final.parent.rmdir()
        final.parent.symlink_to(tree / "closed")
        with pytest.raises(Exception, match="leads elsewhere|outside"), place_of(final) as place:
            place.write_text("model")
        assert not (tree / "closed/a.safetensors").exists()
    finally:
        here.install(None)


def test_a_foreign_file_at_a_destination_keeps_its_name(tree):
    policy = policy_of(tree)
    final = tree / "open/text.txt"
    judged = policy.judge(str(final), WRITE)
    here.install(Permits(policy, (Permit.of("output_model_destination", judged),)))
    try:
        assert free_place(final) == tree / "open/text-2.txt"
        here.install(Permits(policy, (Permit.of("output_model_destination", judged, may_replace=True),)))
        assert free_place(final) == final
    finally:
        here.install(None)
