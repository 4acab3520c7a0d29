import hashlib

import pytest

from deployments.access import api_key


def test_a_minted_key_is_recognised_inside_any_text():
    minted = api_key.mint()
    found = api_key.PATTERN.search(f'RAYGATE_KEY="{minted.text}"  # oops')
    assert found.group() == minted.text
    assert found.group(1) == minted.key_id
    assert api_key.is_genuine(found.group())


def test_only_the_hash_of_a_key_is_kept_and_its_text_is_never_shown_by_accident():
    minted = api_key.mint()
    assert minted.digest == hashlib.sha256(minted.text.encode()).digest()
    assert minted.text not in repr(minted)


def test_two_keys_share_nothing():
    first, second = api_key.mint(), api_key.mint()
    assert first.key_id != second.key_id
    assert first.text[16:59] != second.text[16:59]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(
            lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:], id="one-letter-differs"
        ),
        pytest.param(lambda text: text[:-1], id="cut-off"),
        pytest.param(lambda text: text + "0", id="too-long"),
        pytest.param(lambda text: text.replace("rg_", "rk_"), id="another-prefix"),
        pytest.param(lambda text: "rg_" + "0" * 12 + "_" + "x" * 49, id="placeholder-of-a-manual"),
    ],
)
def test_what_only_looks_like_a_key_is_told_apart_by_its_checksum(spoil):
    assert not api_key.is_genuine(spoil(api_key.mint().text))
