# SPDX-License-Identifier: Apache-2.0
"""Hold an exported model against what `kelp.trainer.Trainer.to_onnx` promises; the same for every trainer."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from components.train.own import GUIDE, PLACE
from kelp.errors import InputError, IntegrityError
from kelp.frame.scorer import Scores
from kelp.frame.session import open_session
from kelp.frame.transform import Matrix, Transform

ALONE_ROWS = 5
TOLERANCE = 1e-4  # of the largest score: how much a row's score may depend on the rows beside it
SUM_TOLERANCE = 1e-4


def write_model(content: object, transform: Transform, matrix: Matrix, path: Path) -> None:
    """Write the model to `path` once it is known to be one file of ONNX, and check how it answers.

    Args:
        content: what `to_onnx` returned.
        transform: task, classes and width.
        matrix: float32, shape (n, width), n >= 1; rows of the training part.
        path: where the model goes.

    Raises:
        InputError: the model is not what was promised; the message says in what.
    """
    if not isinstance(content, bytes):
        raise _problem(f"expected bytes from to_onnx, found a {type(content).__name__}")
    _refuse_external_data(content)
    path.write_bytes(content)
    try:
        session = open_session(path, transform.width)
    except IntegrityError as error:
        raise _problem(f"the model of to_onnx: {error.message}") from error
    _refuse_shape(session, transform.width)
    scores = _answer(session, matrix)
    _refuse_scores(scores, transform, len(matrix))
    if not np.array_equal(scores, _answer(session, matrix)):
        raise _problem("expected the same scores for the same rows, found others the second time", "leave out dropout")
    _refuse_company(session, transform, matrix[:ALONE_ROWS], scores[:ALONE_ROWS])


def _refuse_external_data(content: bytes) -> None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise _problem("expected an ONNX model from to_onnx, found other bytes") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(model)):
        raise _problem("expected one file, found weights outside it", "export with external_data=False")


def _tensors(model: Any) -> Iterator[Any]:
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            nodes += graph.node
        else:
            for attribute in nodes.pop().attribute:
                yield from (attribute.t, *attribute.tensors)
                graphs += [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs


def _refuse_shape(session: Any, width: int) -> None:
    shape = session.get_inputs()[0].shape
    if len(shape) != 2 or isinstance(shape[0], int):
        fix = "export with a dynamic first dimension (torch: dynamic_shapes)"
        raise _problem(f"expected the input rows of shape [n, {width}] for any n, found {shape}", fix)


def _answer(session: Any, matrix: Matrix) -> Any:
    try:
        return session.run(["score"], {"rows": matrix})[0]
    except Exception as error:  # onnxruntime's own errors share no base class but this
        said = str(error).strip().splitlines()[0]
        raise _problem(f"expected scores for {len(matrix)} rows, ONNX Runtime said: {said}") from error


def _refuse_scores(scores: Any, transform: Transform, rows: int) -> None:
    expected = (rows, len(transform.classes)) if transform.is_multiclass else (rows,)
    found = (getattr(scores, "dtype", type(scores).__name__), getattr(scores, "shape", ()))
    if found != (np.dtype(np.float32), expected):
        raise _problem(f"expected score as float32 of shape {expected}, found {found[0]} of shape {found[1]}")
    if not np.isfinite(scores).all():
        count = int((~np.isfinite(scores.reshape(rows, -1)).all(axis=1)).sum())
        raise _problem(f"expected finite scores, found NaN or infinity in {count} of {rows} rows")
    if not transform.classes:
        return
    if scores.min() < 0 or scores.max() > 1:
        raise _problem(
            f"expected probabilities from 0 to 1, found from {scores.min():g} to {scores.max():g}",
            "end the model with a sigmoid (binary) or a softmax (several classes)",
        )
    if transform.is_multiclass and (gap := float(np.abs(scores.sum(axis=1) - 1).max())) > SUM_TOLERANCE:
        raise _problem(
            f"expected the scores of a row to add up to 1, found {gap:g} off", "end the model with a softmax"
        )


def _refuse_company(session: Any, transform: Transform, matrix: Matrix, together: Scores) -> None:
    alone = np.concatenate([_answer(session, matrix[row : row + 1]) for row in range(len(matrix))])
    difference = float(np.abs(alone - together).max())
    # probabilities of almost 0 differ by the rounding of those of almost 1
    largest = max(float(np.abs(together).max()), 0.1 if transform.classes else 0.0)
    if difference > TOLERANCE * largest:
        raise _problem(
            f"expected a row's score not to depend on the rows beside it, found a difference of {difference:g}",
            "export the model in evaluation mode (torch: model.eval())",
        )


def _problem(message: str, fix: str = GUIDE) -> InputError:
    return InputError(message, place=PLACE, fix=fix)
