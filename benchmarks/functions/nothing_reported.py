"""The same work, and no report: what the process itself costs."""

import json

from work import work


def handler(event, _context):
    json.loads(event)
    work()
    return "{}"
