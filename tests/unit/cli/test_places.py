"""What the system refuses to read or write is one line that names the place, the reason and what would help."""

import errno
import os

import pytest

from fdl_zoo.cli._places import in_words


def error(number, *names):
    names = (names[0], None, names[1]) if len(names) > 1 else names
    return OSError(number, os.strerror(number), *names)


@pytest.mark.parametrize(
    ("number", "part"),
    [
        (errno.EACCES, "permission is denied; change its permissions."),
        (errno.EPERM, "permission is denied; change its permissions."),
        (errno.EROFS, "its file system is read-only; make it writable."),
        (errno.ENOTDIR, "it is a file and no folder; move it away."),
        (errno.EEXIST, "it is there already; move it away."),
        (errno.EISDIR, "it is a folder and no file; move it away."),
        (errno.ENOENT, "it is not there, and cannot be made; see whether it is written right."),
        (errno.ENOSPC, "the disk is full; make space."),
        (errno.ENAMETOOLONG, "a name in it is too long; shorten it."),
    ],
)
def test_each_kind_names_the_place_and_what_would_help(number, part):
    assert in_words(error(number, "/nowhere/model")) == f"/nowhere/model cannot be used: {part}"
    told = in_words(error(number, "/nowhere/model"), "-o")
    assert told == f"/nowhere/model cannot be used: {part.rstrip('.')}, or choose another place with -o."


def test_the_part_of_a_path_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").touch()
    told = in_words(error(errno.ENOTDIR, f"{tmp_path}/file/a/b"))
    assert told == f"{tmp_path}/file/a/b cannot be used: {tmp_path}/file is a file and no folder; move it away."


def test_temporary_names_are_not_told(tmp_path):
    assert in_words(error(errno.EACCES, f"{tmp_path}/.x.part", "/to/x")).startswith("/to/x cannot be used")
    assert in_words(error(errno.ENOENT, f"{tmp_path}/.x.part")).startswith(f"{tmp_path} cannot be used: nothing can be")
    assert in_words(error(errno.EROFS, ".x.part")).startswith(". cannot be used")


@pytest.mark.parametrize("mistake", [OSError("no number"), error(errno.EACCES), error(errno.EBADF, "x"), error(13, 3)])
def test_what_may_be_a_mistake_of_ours_keeps_its_name(mistake):
    assert in_words(mistake) is None


def test_a_command_that_cannot_write_has_status_2(fdl, tmp_path):
    (tmp_path / "file").touch()
    arguments = ("plugins", "new", "my-net", "-o", f"{tmp_path}/file/plugins")
    assert fdl(*arguments).refused() == (
        f"{tmp_path}/file/plugins cannot be used: {tmp_path}/file is a file and no folder; move it away, or choose"
        " another place with -o."
    )
    with pytest.raises(NotADirectoryError):
        fdl(*arguments, "--verbose")


def test_a_name_that_is_too_long_is_told(fdl):
    assert "a name in it is too long" in fdl("plugins", "new", "my-net", "-o", "a" * 300).refused()
