"""The task, with fc_callback, but nothing loaded while the function runs."""

from work import work

from fc_callback import task_callback, warmup

warmup.load_in_background = lambda _client: warmup.Loading(None)


@task_callback
def handler(_event, _context):
    work()
    return {"status": "done"}
