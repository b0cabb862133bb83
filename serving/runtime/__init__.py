# SPDX-License-Identifier: Apache-2.0
"""The model server: KServe's, with our model class, our two prediction endpoints in front, and bound to one address.

`python -m serving.runtime --help` starts it. The same process serves on a laptop and in an InferenceService.

    options   what the command line says
    load      check a version directory's digests and signature, then load it
    v1, v2    bytes of a request to a batch, scores to bytes of an answer; pure
    model     the kserve.Model that scores a batch
    endpoint  a model over a protocol, by its path
    plane     a request to a reply, counted and logged; what the next two ask
    hot       a connection: answers plain predictions where they are parsed, and leaves the rest to uvicorn
    front     ASGI: what hot leaves over; what is no prediction goes to KServe's application
    metrics   what is counted
    log       answered requests as events, from a queue to a sink; with record and sink
    slim      KServe without its client of Kubernetes
    server    KServe's ModelServer around all that
"""
