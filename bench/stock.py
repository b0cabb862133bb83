# SPDX-License-Identifier: Apache-2.0
"""The peer of `bench.serving`: KServe's Python server as its examples write it, with xgboost behind it.

    python -m bench.stock --http_port 8080 --grpc_port 8081 --booster model.ubj

`predict` makes a DMatrix of the rows, as KServe's own xgboostserver does. Rows of V1 may be objects by column name;
V2 takes one tensor of rows, or one tensor a column.
"""

import argparse
from typing import Any

import kserve
import numpy as np
import xgboost
from kserve import InferOutput, InferRequest, InferResponse


class Stock(kserve.Model):  # type: ignore[misc]  # kserve has no types
    """A booster behind KServe's V1, V2 and gRPC endpoints."""

    def __init__(self, name: str, booster: str) -> None:
        super().__init__(name)
        self._booster = xgboost.Booster({"nthread": 1}, model_file=booster)
        self.ready = True

    def predict(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """Answer one request in the protocol that it came in."""
        if not isinstance(payload, InferRequest):
            rows = payload["instances"]
            matrix = np.array([list(row.values()) if isinstance(row, dict) else row for row in rows], np.float32)
            return {"predictions": self._scores(matrix).tolist()}
        tensors = [tensor.as_numpy() for tensor in payload.inputs]
        scores = self._scores(tensors[0] if len(tensors) == 1 else np.stack(tensors, axis=1))
        output = InferOutput("score", list(scores.shape), "FP32")
        output.set_data_from_numpy(scores, binary_data=False)
        return InferResponse(payload.id or "", self.name, [output])

    def _scores(self, matrix: Any) -> Any:
        return self._booster.predict(xgboost.DMatrix(matrix, nthread=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser])
    parser.add_argument("--booster", required=True)
    options, _ = parser.parse_known_args()
    kserve.ModelServer().start([Stock("stock", options.booster)])
