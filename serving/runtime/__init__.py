# SPDX-License-Identifier: Apache-2.0
"""The model server: KServe's protocol, answered from a data plane of our own, bound to one address.

`python -m serving.runtime --help` starts it. The same process serves on a laptop and in an InferenceService.

    options, tls           what the command line says; a certificate that fits its key
    load, loader           check a version directory, then load it; say so to the audit log (audit)
    models, model          the models of a process, lent by name; one of them
    v1, v2, grpc_messages  what comes to a request, an answer to what is sent; pure (with answer, binary, body)
    endpoint, ask, reply   where is asked, what, and what HTTP says of the outcome
    plane                  a request to an outcome, counted and logged; long work goes to threads
    hot                    a connection: answers plain predictions where they are parsed, and leaves the rest to uvicorn
    front                  ASGI: what hot leaves over; what is about the server goes to KServe's application
    grpc_server            KServe's gRPC service over the same plane
    control                readiness, metadata, index, load and unload, metrics
    metrics, samples       what is counted; the same of several workers
    log, record, sink      answered requests as events, from a queue to a sink
    workers, worker, link  several processes: the one that starts them, one of them, and what they say to each other
    server, listen, slim   all of it on one event loop; its socket; KServe without its client of Kubernetes
"""
