import os

from bloodcell.files import scratch


def test_a_scratch_folder_is_gone_with_its_block_and_others_are_left_alone(tmp_path):
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        (first / "part").write_bytes(b"1")
        (second / "part").write_bytes(b"2")
        assert sorted(tmp_path.iterdir()) == sorted([first, second])
        assert (first / "part").read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_of_a_killed_process_is_removed_by_the_next(tmp_path):
    child = os.fork()
    if child == 0:
        with scratch(tmp_path) as folder:
            (folder / "part").write_bytes(b"half")
            os._exit(1)
    os.waitpid(child, 0)
    (left,) = tmp_path.iterdir()
    with scratch(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert folder != left
