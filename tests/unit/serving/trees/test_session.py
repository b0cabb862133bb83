# SPDX-License-Identifier: Apache-2.0
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from kelp.frame.transform import Matrix
from serving.trees.session import BySize, TreeSession, compiled
from tests.unit.serving.trees.models import Shape, a_model, rows_for, the_ensemble


def a_session(shape: Shape) -> TreeSession:
    ensemble = the_ensemble(a_model(shape).SerializeToString(), shape.width)
    make = compiled()
    assert make is not None
    return TreeSession(ensemble, make(ensemble))


@pytest.mark.parametrize(
    ("outputs", "feeds"),
    [
        pytest.param(["label"], {"rows": rows_for(Shape(), 2)}, id="another output"),
        pytest.param(["score", "label"], {"rows": rows_for(Shape(), 2)}, id="two outputs"),
        pytest.param(["score"], {"columns": rows_for(Shape(), 2)}, id="another input"),
        pytest.param(["score"], {"rows": rows_for(Shape(width=4), 2)}, id="another width"),
        pytest.param(["score"], {"rows": rows_for(Shape(), 2).astype(np.float64)}, id="another type"),
    ],
)
def test_what_the_model_does_not_have_is_refused(outputs: Sequence[str], feeds: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        a_session(Shape()).run(outputs, feeds)


class Named:
    """A session that answers with its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, outputs: Sequence[str], feeds: Mapping[str, Matrix], /) -> Any:
        return [self.name]


@pytest.mark.parametrize(
    ("count", "name"),
    [(0, "few"), (1, "few"), (4, "few"), (5, "some"), (45, "some"), (46, "many"), (100, "many"), (101, "many")],
)
def test_each_number_of_rows_has_its_session(count: int, name: str) -> None:
    session = BySize(((4, Named("few")), (45, Named("some")), (100, Named("many"))))
    assert session.run(["score"], {"rows": np.zeros((count, 2), dtype=np.float32)}) == [name]
