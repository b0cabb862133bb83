# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from components.train.check import write_model
from components.train.network import Network
from kelp.frame.session import onnx_runtime
from kelp.frame.transform import Feature, RawColumn, Transform
from tests.unit.components.train.networks import INTENTS, a_training, sentences, text_transform


def test_few_sentences_are_learned_about_as_well_as_by_tf_idf(tmp_path: Path) -> None:
    texts, target = sentences(500, seed=1)
    new_texts, new_target = sentences(1000, seed=2)
    transform = text_transform(texts)
    training = a_training(tmp_path, transform, transform.apply({"text": np.array(texts, dtype=object)}), target)
    network = Network()
    facts = network.fit(training)
    matrix = transform.apply({"text": np.array([*new_texts, None, "zzz"], dtype=object)})
    write_model(network.to_onnx(), transform, matrix, tmp_path / "model.onnx")
    scores = onnx_runtime().InferenceSession(tmp_path / "model.onnx").run(["score"], {"rows": matrix})[0]
    accuracy = (scores[:1000].argmax(axis=1) == new_target).mean()
    baseline = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(texts, target)
    assert accuracy > 0.6 + 1 / len(INTENTS)
    assert accuracy > baseline.score(new_texts, new_target) - 0.03
    assert "importance" not in facts
    assert facts["params"]["embedding"] == 64


def test_other_features_are_read_beside_the_tokens(tmp_path: Path) -> None:
    texts, _ = sentences(300, seed=1)
    words = text_transform(texts)
    transform = Transform.model_validate(
        {
            **words.model_dump(),
            "columns": [*words.columns, RawColumn(name="vip", type="float", nullable=True)],
            "features": [Feature(name="vip", column="vip", kind="number"), *words.features],
        }
    )
    vip = np.random.default_rng(1).integers(0, 2, 300).astype(np.float64)
    matrix = transform.apply({"text": np.array(texts, dtype=object), "vip": vip})
    facts = Network().fit(a_training(tmp_path, transform, matrix, vip, {"epochs": 10}))
    assert facts["curve"][-1]["training"] < 0.45  # the texts alone cannot tell: it would stay at 0.69
