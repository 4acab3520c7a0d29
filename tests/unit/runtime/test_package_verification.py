import hashlib
import json
import pickle
from pathlib import Path

import pytest

from deployments.contracts.errors import PackageNotFound, PackageRejected
from deployments.contracts.package import MANIFEST, METADATA, NATIVE_MODEL, InferencePath
from deployments.runtime import package
from deployments.runtime.predictor import Predictor


class Bomb:
    """Leaves a trace when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def with_bomb(directory: Path) -> Path:
    trace = directory.parent / "unpickled"
    (directory / NATIVE_MODEL).write_bytes(pickle.dumps(Bomb(trace)))
    return trace


def test_an_untouched_package_has_the_digest_of_its_manifest(directory):
    assert package.verify(directory) == hashlib.sha256((directory / MANIFEST).read_bytes()).hexdigest()


def test_a_changed_pickle_is_refused_before_anything_is_unpickled(directory):
    trace = with_bomb(directory)
    with pytest.raises(PackageRejected, match=r"model\.pkl has changed"):
        Predictor(package.load(directory), InferencePath.NATIVE)
    assert not trace.exists()


def test_a_pickle_swapped_after_verification_is_refused_too(directory):
    verified = package.load(directory)
    trace = with_bomb(directory)
    with pytest.raises(PackageRejected, match=r"model\.pkl has changed"):
        Predictor(verified, InferencePath.NATIVE)
    assert not trace.exists()


def test_a_pickle_whose_hash_was_forged_in_the_manifest_has_another_digest(directory):
    expected = package.verify(directory)
    trace = with_bomb(directory)
    manifest = json.loads((directory / MANIFEST).read_text())
    manifest["files"][NATIVE_MODEL] = hashlib.sha256((directory / NATIVE_MODEL).read_bytes()).hexdigest()
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PackageRejected, match="digest"):
        package.load(directory, expected)
    assert not trace.exists()


@pytest.mark.parametrize("file", ["compiled.onnx", "feature_schema.json", "MLmodel", "reference_sample.parquet"])
def test_one_changed_byte_refuses_the_package(directory, file):
    content = bytearray((directory / file).read_bytes())
    content[len(content) // 2] ^= 1
    (directory / file).write_bytes(content)
    with pytest.raises(PackageRejected, match="has changed"):
        package.verify(directory)


def test_a_missing_file_refuses_the_package(directory):
    (directory / "requirements.txt").unlink()
    with pytest.raises(PackageRejected, match=r"missing: requirements\.txt"):
        package.verify(directory)


def test_a_file_that_nobody_listed_refuses_the_package(directory):
    (directory / "conftest.py").write_text("")
    with pytest.raises(PackageRejected, match=r"not in the manifest: conftest\.py"):
        package.verify(directory)


def test_what_mlflow_writes_on_download_is_tolerated(directory):
    digest = package.verify(directory)
    (directory / "registered_model_meta").write_text("model_name: shop\nmodel_version: '1'\n")
    assert package.verify(directory) == digest


def test_a_link_refuses_the_package(directory, tmp_path):
    (directory / "requirements.txt").rename(tmp_path / "elsewhere")
    (directory / "requirements.txt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PackageRejected, match="not a plain file"):
        package.verify(directory)


def test_a_manifest_of_an_unknown_layout_is_refused(directory):
    manifest = json.loads((directory / MANIFEST).read_text()) | {"layout": 99}
    (directory / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(PackageRejected, match="layout"):
        package.verify(directory)


def rewritten(directory, file, **changes):
    """The package with something else in a file, as another release would have written it."""
    document = json.loads((directory / file).read_text()) | changes
    (directory / file).write_text(json.dumps(document))
    if file != MANIFEST:
        manifest = json.loads((directory / MANIFEST).read_text())
        manifest["files"][file] = hashlib.sha256((directory / file).read_bytes()).hexdigest()
        (directory / MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("file", "changes", "says"),
    [
        pytest.param(MANIFEST, {"schema_fingerprint": "0" * 16}, "names its schema 0{16}", id="fingerprint"),
        pytest.param(METADATA, {"quantum": True}, r"model_metadata\.json is not of .* \(quantum\)", id="field"),
    ],
)
def test_a_package_of_another_release_is_refused_with_what_to_do(directory, file, changes, says):
    rewritten(directory, file, **changes)
    with pytest.raises(PackageRejected, match=f"{says}.*: another release made it; .* train or package"):
        package.load(directory)


def test_a_directory_without_a_manifest_is_no_package(tmp_path):
    with pytest.raises(PackageNotFound):
        package.load(tmp_path)


def test_loading_imports_neither_mlflow_nor_pandas(directory):
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from deployments.runtime import package;"
        "from deployments.runtime.predictor import Predictor;"
        f"p = Predictor(package.load(Path({str(directory)!r}))); p.warm();"
        "print([m for m in ('mlflow', 'pandas', 'sklearn', 'training', 'ray') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
