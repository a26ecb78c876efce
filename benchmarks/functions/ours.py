"""The task, with fc_callback."""

import time

from work import work

from fc_callback import initializer, task_callback

initialize = initializer


@task_callback
def handler(_event, _context):
    work()
    return {"status": "done"}


def handler_timed(event, context):
    began = time.perf_counter()
    try:
        return handler(event, context)
    finally:
        print("handler seconds:", time.perf_counter() - began)
