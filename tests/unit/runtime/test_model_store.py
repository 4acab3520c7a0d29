import shutil

import pytest

from deployments.contracts.errors import PackageNotFound, PackageRejected
from deployments.contracts.model_version import Version
from deployments.contracts.package import MANIFEST
from deployments.runtime import package
from deployments.runtime.model_store import ModelStore

V1 = Version.parse("1.0.0")


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "models")


def add(store, source, version=V1):
    with store.staging() as scratch:
        return store.add(shutil.copytree(source, scratch / "package"), "shop", version)


def test_a_version_lies_under_its_name_and_number(store, directory):
    add(store, directory)
    assert store.find("shop", V1) == store.root / "shop" / "v1.0.0"
    assert package.verify(store.find("shop", V1)) == package.verify(directory)


def test_versions_are_listed_in_numeric_order(store, directory):
    for number in ("1.10.0", "1.9.0", "1.0.0"):
        add(store, directory, Version.parse(number))
    assert [str(version) for version in store.versions("shop")] == ["1.0.0", "1.9.0", "1.10.0"]


def test_the_same_package_may_be_added_twice(store, directory):
    assert add(store, directory) == add(store, directory)


def test_another_package_never_replaces_a_version(store, directory):
    present = add(store, directory)
    before = package.verify(present)
    (directory / MANIFEST).write_text((directory / MANIFEST).read_text() + "\n")
    with pytest.raises(PackageRejected, match="immutable"):
        add(store, directory)
    assert package.verify(present) == before


def test_an_incomplete_package_never_enters_the_store(store, directory):
    (directory / "model.pkl").unlink()
    with pytest.raises(PackageRejected):
        add(store, directory)
    assert store.models() == []


def test_what_a_crash_left_half_written_is_no_version(store, directory):
    store.root.mkdir()
    shutil.copytree(directory, store.root / ".staging-crashed" / "package")
    half = store.path("shop", V1)
    half.mkdir(parents=True)
    assert (store.models(), store.versions("shop")) == ([], [])
    add(store, directory)  # an empty directory gives way
    assert store.models() == ["shop"]


def test_nothing_stays_of_a_staging_that_failed(store):
    def fail(scratch):
        (scratch / "file").touch()
        raise RuntimeError

    with pytest.raises(RuntimeError), store.staging() as scratch:
        fail(scratch)
    assert list(store.root.iterdir()) == []


def test_a_version_that_is_not_there_names_those_that_are(store, directory):
    add(store, directory)
    with pytest.raises(PackageNotFound, match=r"known: 1\.0\.0"):
        store.find("shop", Version.parse("2.0.0"))


def test_a_version_that_is_removed_is_gone_and_its_number_is_free(store, directory):
    add(store, directory)
    store.remove("shop", V1)
    store.remove("shop", V1)
    assert store.versions("shop") == []
    assert [path.name for path in store.root.rglob("*")] == ["shop"]
    assert add(store, directory) == store.find("shop", V1)
