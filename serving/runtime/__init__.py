# SPDX-License-Identifier: Apache-2.0
"""The model server: KServe's, with our model class, our two prediction endpoints in front, and bound to one address.

`python -m serving.runtime --help` starts it. The same process serves on a laptop and in an InferenceService.

    options   what the command line says
    load      check a version directory's digests and signature, then load it
    v1, v2    bytes of a request to a batch, scores to bytes of an answer; pure
    model     the kserve.Model that scores a batch
    front     ASGI: the prediction endpoints, limits and errors; everything else goes to KServe's application
    server    KServe's ModelServer around all that
"""
