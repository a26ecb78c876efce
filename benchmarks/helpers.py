"""Measure the cost of the helpers in an invocation, beside Powertools for AWS Lambda on the same handler.

    pip install -r benchmarks/requirements.txt
    python -m benchmarks.helpers

One invocation reads an event of 344 bytes into the same pydantic model, logs the same line with the same fields, once or
several times, and returns. Ours also masks secrets, and measures and logs the record of the task, which is one more line. The
version by hand shows the least that this costs with `logging`.

Each side is compared with Powertools' logger and parser twice: for the whole invocation, and for the time that the helpers add
to the same handler without them. That handler decodes its event. Ours has its context and its task, as `task_callback` builds
them for every function.

Each side runs in its own process, as on its platform. Its lines go to a handler that discards them. The processes alternate,
with a few milliseconds of CPU time each. A ratio is the median of the ratios of the turns, because other load on the machine
affects both sides of a turn.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

TURNS = 400
LINES = (1, 5, 10)  # logged by the handler itself
PEER = "Powertools: logger, parser"
INVOCATIONS = 40  # in a turn

EVENT = json.dumps(
    {
        "taskToken": "djEjZGVtby1mbG93I3J1bi0xIzUjNit6dDd1L3c4Zkx6OVBYMjkvajUrdnY4L2Y0PQ==",
        "orderId": "o-20250102-000001",
        "customer": {"name": "Anna Berg", "email": "anna@example.com", "country": "SE"},
        "lines": [{"sku": f"sku-{number}", "count": number, "price": 12.5} for number in range(1, 4)],
    }
)

_MODEL = """
from pydantic import BaseModel
class Customer(BaseModel):
    name: str
    email: str
    country: str
class Line(BaseModel):
    sku: str
    count: int
    price: float
class Order(BaseModel):
    orderId: str
    customer: Customer
    lines: list[Line]
"""

_COMMON = f"""
import io, json, logging, sys, time
class Nothing(io.TextIOBase):
    lines = 0
    def write(self, text):
        Nothing.lines += text.count("\\n")
        return len(text)
EVENT = {EVENT!r}
{_MODEL}
"""

OURS = f"""{_COMMON}
import base64, itertools
from fc_callback import Credentials, FcContext, Task, TaskToken
from fc_callback.logs.logger import Logger
from fc_callback.metrics import task_record, timed_step
from fc_callback.parser import event_parser
from fc_callback.values.invocation import task_scope

class FcHandler(logging.StreamHandler):
    pass
handler_of_fc = FcHandler(sys.stderr)
logging.getLogger().addHandler(handler_of_fc)
log = Logger("bench", form="json")
handler_of_fc.setStream(Nothing())

class Function:  # objects, as FC's runtime makes them
    name, handler, memory, timeout = "orders", "index.handler", 512, 60
class Role:
    access_key_id, access_key_secret = "STS.NUgYrLnoC37mZZCNnAbez1", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
    security_token = "CAIS" + "abcdefghijklmnopqrstuvwxyz0123456789ABCD" * 20
class Raw:
    request_id, region, account_id = "1-64f6cd87-5d2c8e1f0a3b-9c7d4e2f1a0b", "cn-hangzhou", "1000000000000001"
    function, credentials = Function(), Role()
context = Raw()
event = EVENT.encode()

# Each task has another token, so that nothing can be cached from one task to the next.
TOKENS = itertools.cycle(
    [base64.b64encode(b"v1#demo-flow#run-%d#5#%028d" % (number, number)).decode() for number in range(1000)]
)

@event_parser
def handler(order: Order, context: FcContext):
    with task_record(event) as record:  # as task_callback does it
        task = Task(token=TaskToken(next(TOKENS)), payload={{}}, context=context)
        record.begins(task)
        with task_scope(task), timed_step(record, "run"):
            log.bind(order_id=order.orderId)
            log.info("Charged the order", extra={{"lines": len(order.lines), "country": order.customer.country}})
    return {{"orderId": order.orderId}}
"""

THEIRS = f"""{_COMMON}
import os
os.environ.update(POWERTOOLS_SERVICE_NAME="bench", AWS_LAMBDA_FUNCTION_NAME="orders", AWS_REGION="eu-west-1")
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.parser import event_parser
log = Logger(stream=Nothing())

class Context:
    function_name, memory_limit_in_mb = "orders", 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    aws_request_id = "1-64f6cd87-5d2c8e1f0a3b-9c7d4e2f1a0b"
context = Context()
class event:
    pass

@log.inject_lambda_context(clear_state=True)
@event_parser(model=Order)
def parsed(event: Order, context):
    log.append_keys(order_id=event.orderId)
    log.info("Charged the order", extra={{"lines": len(event.lines), "country": event.customer.country}})
    return {{"orderId": event.orderId}}

def handler(event, context):
    return parsed(json.loads(EVENT), context)  # Lambda's runtime decodes the event, FC's does not
"""

OURS_ALONE = (
    OURS[: OURS.index("@event_parser")]
    + """
def handler(event, raw_context):
    context = FcContext.read(raw_context)
    order = json.loads(event)
    with task_scope(Task(token=TaskToken(next(TOKENS)), payload={}, context=context)):
        return {"orderId": order["orderId"]}
"""
)

THEIRS_ALONE = f"""{_COMMON}
event = context = None

def handler(event, context):
    return {{"orderId": json.loads(EVENT)["orderId"]}}
"""

# The same with their Metrics, which also write a line. It is the nearest to our task record.
THEIRS_WITH_METRICS = (
    THEIRS.replace(
        "@log.inject_lambda_context",
        "from aws_lambda_powertools import Metrics\n"
        "import builtins\n"
        "metrics = Metrics(namespace='bench')\n"
        "nothing = Nothing()\n"
        "builtins.print = lambda *texts, file=None: nothing.write(' '.join(map(str, texts)) + '\\n')\n"
        "@metrics.log_metrics\n"
        "@log.inject_lambda_context",
    )
    .replace("    return {{", "    return {")
    .replace("    log.append_keys(", "    metrics.add_metric('Orders', 'Count', 1)\n    log.append_keys(")
)
OURS_WITHOUT_RECORD = OURS.replace('Logger("bench", form="json")', 'Logger("bench", form="json", task_record=False)')

OURS_WITHOUT_MASKING = OURS.replace('form="json")', 'form="json", redact=False)')

# Without masking, binding, context and measurements: only pydantic, `logging` and JSON.
BY_HAND = f"""{_COMMON}
from pydantic import TypeAdapter
class Json(logging.Formatter):
    def format(self, record):
        own = record.__dict__
        entry = {{
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)), "level": record.levelname,
            "message": record.msg, "logger": record.name, "location": f"{{record.filename}}:{{record.lineno}}",
            "request_id": "1-64f6cd87-5d2c8e1f0a3b-9c7d4e2f1a0b", "function": "orders", "cold_start": False,
        }}
        for name in ("order_id", "lines", "country", "run_ms", "total_ms"):
            if name in own:
                entry[name] = own[name]
        return json.dumps(entry)
lines_of = logging.StreamHandler(Nothing())
lines_of.setFormatter(Json())
logging.getLogger().addHandler(lines_of)
logging.getLogger().setLevel(logging.INFO)
log, records = logging.getLogger("bench"), logging.getLogger("records")
event, context = EVENT.encode(), None
adapter = TypeAdapter(Order)

def handler(event, context):
    order = adapter.validate_json(event)
    fields = {{"order_id": order.orderId, "lines": len(order.lines), "country": order.customer.country}}
    log.info("Charged the order", extra=fields)
    records.info("Task succeeded.", extra={{"run_ms": 1.5, "total_ms": 2.5}})
    return {{"orderId": order.orderId}}
"""

_MEASURE = f"""
def took(invocations):
    began = time.process_time()
    for _ in range(invocations):
        handler(event, context)
    return (time.process_time() - began) / invocations
took(300)
def answer(number):
    sys.__stdout__.write(f"{{number}}\\n")
    sys.__stdout__.flush()
answer(Nothing.lines / 300)
for turn in sys.stdin:
    answer(took({INVOCATIONS}) * 1e6)
"""

# Each side with the same handler without helpers.
SIDES = {
    "fc_callback: logger, masking, parser, task record": (OURS, "ours"),
    "fc_callback: logger, parser, task record": (OURS_WITHOUT_MASKING, "ours"),
    "fc_callback: logger, masking, parser": (OURS_WITHOUT_RECORD, "ours"),
    PEER: (THEIRS, "theirs"),
    "Powertools: logger, parser, metrics": (THEIRS_WITH_METRICS, "theirs"),
    "by hand: pydantic, JSON, a line for the record": (BY_HAND, "theirs"),
}
ALONE = {"ours": OURS_ALONE, "theirs": THEIRS_ALONE}


class Side:
    """A process that runs one side in its turn."""

    def __init__(self, code: str, lines: int) -> None:
        for one in [line for line in code.splitlines() if "log.info(" in line]:
            code = code.replace(one, "\n".join([one] * lines))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code + _MEASURE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.written = float(self._answer())
        self.microseconds: list[float] = []

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def take_turn(self) -> None:
        """Measure once."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.microseconds.append(float(self._answer()))

    def end(self) -> None:
        """End the process."""
        self.process.communicate()


def main() -> None:
    """Measure and print."""
    print(f"event of {len(EVENT)} bytes, {TURNS} turns of {INVOCATIONS} invocations, Python {sys.version.split()[0]}")
    for lines in LINES:
        sides = {name: Side(code, lines) for name, (code, _) in SIDES.items()}
        alone = {name: Side(code, lines) for name, code in ALONE.items()}
        for _ in range(TURNS):
            for side in (*sides.values(), *alone.values()):
                side.take_turn()
        handler = f"a handler that logs {lines} line{'s' if lines > 1 else ''}"
        print(f"{handler:52} whole  added")
        peer = sides[PEER].microseconds
        peer_added = _less(peer, alone["theirs"].microseconds)
        for name, side in sides.items():
            assert side.written >= lines, name
            whole = _ratio(side.microseconds, peer)
            added = _ratio(_less(side.microseconds, alone[SIDES[name][1]].microseconds), peer_added)
            best = min(side.microseconds)
            print(f"  {name:50} {whole:5.2f}  {added:5.2f}  ({best:6.1f} us at best, {side.written:g} written)")
        for side in (*sides.values(), *alone.values()):
            side.end()


def _less(times: list[float], others: list[float]) -> list[float]:
    return [one - other for one, other in zip(times, others, strict=True)]


def _ratio(times: list[float], others: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(times, others, strict=True))


if __name__ == "__main__":
    main()
