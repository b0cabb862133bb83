# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from components.evaluate.document import plain, to_json
from components.evaluate.intervals import Estimate


def test_estimates_become_objects_and_undefined_numbers_null() -> None:
    found = plain({"a": Estimate(0.1, None, None, 4, "few rows", is_proportion=True), "b": [float("nan"), np.inf]})
    assert found["a"]["isProportion"] is True
    assert found["b"] == [None, None]


def test_noise_of_the_last_bit_does_not_reach_the_file() -> None:
    assert plain(0.1 + 0.2) == 0.3


def test_text_is_the_same_for_any_order_of_names() -> None:
    assert to_json({"b": 1, "a": "ü"}) == to_json({"a": "ü", "b": 1})
    assert json.loads(to_json({"a": "ü"})) == {"a": "ü"}


def test_a_value_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a JSON value, got object"):
        plain({"a": object()})
