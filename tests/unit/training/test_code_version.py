"""Which code made a version: a commit, and whether the files are still those of it."""

import subprocess

import pytest

from training.code_version import VARIABLE, code_version


def git(directory, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A module of a package without a checkout, as in the image."""
    monkeypatch.setenv(VARIABLE, "built-from")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    module = tmp_path / "module.py"
    module.write_text("x = 1\n")
    return module


@pytest.fixture
def commit(file):
    git(file.parent, "init", "--quiet")
    git(file.parent, "add", file.name)
    git(file.parent, "commit", "--quiet", "-m", "first")
    git(file.parent, "tag", "-a", "v1", "-m", "first")
    return git(file.parent, "rev-parse", "HEAD")


def test_a_clean_checkout_is_its_commit(file, commit):
    assert code_version(file) == commit


def test_a_changed_checkout_is_called_dirty(file, commit):
    file.write_text("x = 2\n")
    assert code_version(file) == f"{commit}-dirty"


def test_without_a_checkout_it_is_what_the_image_was_built_from(file, monkeypatch):
    assert code_version(file) == "built-from"
    monkeypatch.delenv(VARIABLE)
    assert code_version(file) == ""


def test_a_checkout_around_an_installed_package_is_not_its_own(file, commit):
    installed = file.parent / "site-packages" / "module.py"
    installed.parent.mkdir()
    installed.write_text("x = 1\n")
    assert code_version(installed) == "built-from"
