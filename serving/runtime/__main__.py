# SPDX-License-Identifier: Apache-2.0
"""Entry of the model server: exit code 0 after a signal, 2 for a wrong command line, 4 for what cannot be served."""

import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from kelp import log
from kelp.errors import KelpError
from serving.runtime.options import parse_options
from serving.runtime.slim import slim_kserve


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal ends the process; return the exit code of an error."""
    for number in (signal.SIGTERM, signal.SIGINT):  # from the start: the first process of a container has no default
        signal.signal(number, _leave_at_once)
    options = parse_options(arguments)
    log.configure()
    warnings.filterwarnings("ignore", message="ORJSONResponse is deprecated")  # KServe 0.21's own routes use it
    logger = logging.getLogger("serving.runtime")
    try:
        if options.tls is not None:
            from serving.runtime.tls import check_tls

            check_tls(options.tls)
        if options.workers > 1 and options.link_fd is None:
            from serving.runtime.workers import supervise

            return supervise(options, arguments)
        slim_kserve()
        from serving.runtime.server import serve  # KServe takes a second to import: a wrong command line is told first

        serve(options)
    except KelpError as error:
        logger.error("%s%s", error, f"; {error.fix}" if error.fix else "")
        return error.exit_code
    return 0


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    """Nothing is served yet, so nothing is lost; what a handler raised in an import would be taken for its failure."""
    os._exit(0)


def run() -> NoReturn:
    """Run `main` as the whole process: a thread that still works for a caller who is gone is not waited for."""
    try:
        code = main(sys.argv[1:])
    except SystemExit as exit_:  # of a signal, or of argparse
        code = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:
        logging.getLogger("serving.runtime").critical("the server failed", exc_info=True)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
