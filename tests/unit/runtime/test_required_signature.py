"""Where signatures are asked for, a package that nobody vouches for is refused before anything is unpickled."""

import hashlib
import json
import pickle
from pathlib import Path

import cloudpickle
import pytest

from deployments.contracts.errors import PackageRejected
from deployments.contracts.model_version import Version
from deployments.contracts.package import MANIFEST, METADATA, NATIVE_MODEL
from deployments.runtime import package, signature, trust
from deployments.runtime.model_store import ModelStore
from deployments.runtime.signing_keys import KeyDirectory, KeyUnusable
from deployments.version_pool import VersionPool
from ray_apps.settings import Settings

V1 = Version(1, 0, 0)


class Trap:
    """Leaves a trace when it is unpickled, and is no model."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "unpickled"


@pytest.fixture
def poisoned(directory, trace):
    """A package that agrees with itself, and whose model runs code when it is unpickled."""
    metadata = json.loads((directory / METADATA).read_text()) | {"path": "native"}
    contents = {NATIVE_MODEL: cloudpickle.dumps(Trap(trace)), METADATA: json.dumps(metadata).encode()}
    manifest = json.loads((directory / MANIFEST).read_text())
    for file, content in contents.items():
        (directory / file).write_bytes(content)
        manifest["files"][file] = hashlib.sha256(content).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))
    return directory


@pytest.fixture
def keys(tmp_path):
    made = KeyDirectory(tmp_path / "signing-keys")
    made.create()
    return made


@pytest.fixture
def trusted(keys):
    """The reference that a pool gets."""
    return f"file:{keys.directory / 'trusted'}"


def pool(directory, trusted_keys=None):
    return VersionPool(str(directory), package.digest_of(directory), trusted_keys)


def test_a_pool_that_asks_for_no_signature_runs_what_it_is_given(poisoned, trace):
    """Else the trap below would prove nothing."""
    with pytest.raises(AttributeError):
        pool(poisoned)
    assert trace.exists()


def test_a_pool_refuses_an_unsigned_package_before_anything_is_unpickled(poisoned, trusted, trace):
    with pytest.raises(PackageRejected, match="it is not signed, and a signature is required"):
        pool(poisoned, trusted)
    assert not trace.exists()


def test_a_pool_refuses_a_strangers_signature_before_anything_is_unpickled(poisoned, trusted, trace, tmp_path):
    stranger = KeyDirectory(tmp_path / "stranger")
    stranger.create()
    signature.write(poisoned, stranger.active())
    with pytest.raises(PackageRejected, match=f"signed with key {stranger.active_id()}, which is not trusted"):
        pool(poisoned, trusted)
    assert not trace.exists()


def test_a_pool_whose_keys_are_gone_refuses_every_package(poisoned, trace, tmp_path):
    with pytest.raises(KeyUnusable, match="no package is believed"):
        pool(poisoned, f"file:{tmp_path / 'nowhere'}")
    assert not trace.exists()


def test_a_pool_takes_what_the_older_and_the_newer_key_signed_until_the_older_one_is_retired(
    directory, keys, trusted
):
    older = keys.active()
    signature.write(directory, older)
    keys.create()
    assert pool(directory, trusted)
    signature.write(directory, keys.active())
    assert pool(directory, trusted)
    signature.write(directory, older)
    keys.retire(older.key_id)
    with pytest.raises(PackageRejected, match="which is not trusted"):
        pool(directory, trusted)


def texts(keys):
    return "".join(file.read_text() for file in sorted((keys.directory / "trusted").glob("*.pem")))


@pytest.mark.parametrize("kind", ["directory", "file", "variable"])
def test_keys_are_a_directory_or_texts_in_a_file_or_a_variable(keys, trusted, kind, tmp_path, monkeypatch):
    keys.create()
    (tmp_path / "keys.pem").write_text(texts(keys))
    monkeypatch.setenv("PACKAGE_KEYS", texts(keys))
    reference = {"directory": trusted, "file": f"file:{tmp_path / 'keys.pem'}", "variable": "env:PACKAGE_KEYS"}
    assert trust.keys_at(reference[kind]).ids == keys.trusted().ids
    assert len(keys.trusted().ids) == 2


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        pytest.param("file:{}/nowhere", "cannot be read: No such file", id="no-file"),
        pytest.param("file:{}/empty", "no public key is there", id="empty-directory"),
        pytest.param("file:{}/notes", "no public key is there", id="no-key-in-the-file"),
        pytest.param("file:{}/broken", "cannot be read as a public key", id="broken"),
        pytest.param("env:NOT_SET", "is not set", id="no-variable"),
    ],
)
def test_keys_that_are_missing_never_mean_that_none_is_asked_for(reference, says, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").write_text("the keys are in the safe")
    (tmp_path / "broken").write_text("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n")
    with pytest.raises(KeyUnusable, match=says):
        trust.keys_at(reference.format(tmp_path))


def test_keys_reach_workers_in_other_processes(directory, keys):
    signature.write(directory, keys.active())
    sent = pickle.loads(pickle.dumps(keys.trusted()))
    assert package.load(directory, trusted=sent).digest == package.digest_of(directory, sent)


def test_what_a_store_loads_is_signed_where_it_asks_for_that(directory, keys, trusted, tmp_path):
    place = tmp_path / "models" / "shop" / "v1.0.0"
    place.parent.mkdir(parents=True)
    directory.rename(place)
    store = ModelStore(tmp_path / "models", trusted)
    for read in (store.load, store.digest):
        with pytest.raises(PackageRejected, match="it is not signed"):
            read("shop", V1)
    signature.write(place, keys.active())
    assert store.load("shop", V1).digest == store.digest("shop", V1)


@pytest.mark.parametrize(
    ("given", "asks"),
    [
        pytest.param({}, "file:{}/signing-keys/trusted", id="own-store-own-keys"),
        pytest.param({"MODEL_PATH": "/models"}, None, id="store-of-others-nobody-said"),
        pytest.param({"MODEL_PATH": "/models", "RAYGATE_TRUSTED_KEYS": "env:KEYS"}, "env:KEYS", id="said"),
        pytest.param({"RAYGATE_TRUSTED_KEYS": ""}, None, id="empty-asks-for-none"),
    ],
)
def test_whose_signature_is_asked_for(given, asks, tmp_path, monkeypatch):
    monkeypatch.delenv("MODEL_PATH", raising=False)
    monkeypatch.delenv("RAYGATE_TRUSTED_KEYS", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert Settings(state_directory=tmp_path).signers == (asks and asks.format(tmp_path))
