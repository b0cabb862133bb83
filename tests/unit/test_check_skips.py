# SPDX-License-Identifier: Apache-2.0
"""CI's look at skipped tests."""

from tests.check_skips import unlisted

LOG = "SKIPPED [2] tests/contract/test_x.py:7: KELP_CRDS is not set\nSKIPPED [1] tests/a.py:1: no time\n"


def test_a_skip_with_a_listed_reason_passes() -> None:
    assert unlisted(LOG, "# why\nKELP_CRDS is not set # theirs\nno time # a reason\n") == []


def test_a_skip_without_a_listed_reason_is_named() -> None:
    assert unlisted(LOG, "KELP_CRDS is not set # theirs\n") == ["SKIPPED [1] tests/a.py:1: no time"]
