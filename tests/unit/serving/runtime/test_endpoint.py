# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import pytest

from kelp.errors import WrongMediaType
from serving.runtime.endpoint import check_content, explained, hot_endpoint, no_endpoint, prediction_endpoint

V1 = b'{"instances": [[4]]}'
V2 = b'{"inputs": [{"name": "amount", "datatype": "FP64", "shape": [1], "data": [4]}]}'


@pytest.mark.parametrize(
    ("path", "name", "version", "body"),
    [
        ("/v1/models/fraud:predict", "fraud", None, V1),
        ("/v1/models/fraud/versions/3:predict", "fraud", "3", V1),
        ("/v2/models/fraud/infer", "fraud", None, V2),
        ("/v2/models/fraud/versions/3/infer", "fraud", "3", V2),
        ("/v2/models/../infer", "..", None, V2),
        ("/v1/models/a b\u00e9:predict", "a b\u00e9", None, V1),
        (f"/v2/models/{'a' * 300}/infer", "a" * 300, None, V2),
        ("/v2/models/fraud/versions/x y/infer", "fraud", "x y", V2),
    ],
)
def test_a_path_says_the_model_the_version_and_how_to_read(
    path: str, name: str, version: str | None, body: bytes
) -> None:
    endpoint = prediction_endpoint(path)
    assert endpoint is not None
    assert (endpoint.name, endpoint.version) == (name, version)
    assert endpoint.read({}, body).row_count == 1


OTHER_PATHS = [
    "",
    "/",
    "/v1/models/:predict",
    "/v2/models//infer",
    "/v1/models/fraud:predict/",
    "/v1/models/fraud:predict\n",
    "/v1/models/fraud:explain",
    "/v1/models/fraud/infer",
    "/v2/models/fraud:predict",
    "/v2/models/a/b/infer",
    "/v2/models/a:b/infer",
    "/v2/models/a%2Fb/infer",
    "/v2/models/fraud/versions//infer",
    "/v2/models/fraud/versions/1/2/infer",
    "/v3/models/fraud/infer",
    "x/v2/models/fraud/infer",
    f"/v2/models/{'a' * 100_000}/infer",
]


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_any_other_path_asks_for_no_prediction(path: str) -> None:
    assert prediction_endpoint(path) is None
    assert hot_endpoint(path.encode()) is None


def test_an_url_is_read_only_if_it_needs_no_decoding() -> None:
    hot = hot_endpoint(b"/v1/models/fraud:predict")
    assert hot is prediction_endpoint("/v1/models/fraud:predict")
    for url in (b"/v1/models/fr%61ud:predict", b"/v1/models/fraud:predict?a=1", b"/v1/models/fr\xc3\xa9:predict"):
        assert hot_endpoint(url) is None


def test_long_paths_are_not_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            path = f"/v2/models/{number}{'a' * 100_000}/infer"
            prediction_endpoint(path)
            hot_endpoint(path.encode())
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/fraud:explain", ("fraud", None)),
        ("/v1/models/fraud/versions/3:explain", ("fraud", "3")),
        ("/v1/models/fraud:predict", None),
        ("/v2/models/fraud:explain", None),
        ("/v1/models/:explain", None),
    ],
)
def test_a_path_may_ask_to_explain(path: str, expected: tuple[str, str | None] | None) -> None:
    assert explained(path) == expected


@pytest.mark.parametrize("kind", ["application/json", "application/octet-stream", "", " Text/JSON ; charset=UTF-8 "])
def test_json_and_binary_tensors_are_taken(kind: str) -> None:
    check_content({b"content-type": kind.encode(), b"content-encoding": b"identity"})
    check_content({})


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({b"content-type": b"text/plain"}, "Content-Type"),
        ({b"content-type": b"application/json; charset=utf-16"}, "Content-Type"),
        ({b"content-type": b"application/json, text/plain"}, "Content-Type"),
        ({b"content-type": b"\xff" * 10_000}, "Content-Type"),
        ({b"content-encoding": b"gzip"}, "Content-Encoding"),
        ({b"content-encoding": b"identity, gzip" * 100}, "Content-Encoding"),
    ],
)
def test_another_media_type_is_refused_by_its_header(fields: dict[bytes, bytes], place: str) -> None:
    with pytest.raises(WrongMediaType) as caught:
        check_content(fields)
    assert caught.value.place == place
    assert len(caught.value.message) < 500


def test_the_error_of_a_path_does_not_repeat_all_of_a_long_one() -> None:
    assert len(str(no_endpoint("POST", "/" + "a" * 10_000))) < 300
