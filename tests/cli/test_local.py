"""`fc-callback local`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys


def test_a_script_may_end_it_as_soon_as_it_has_said_where_it_is() -> None:
    command = [sys.executable, "-m", "fc_callback", "local", "--port", "0", "--json"]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as service:
            try:
                assert service.stdout is not None
                assert "CLOUDFLOW_ENDPOINT" in json.loads(service.stdout.readline())
                service.send_signal(signal.SIGTERM)
                assert service.wait(30) == 0
            finally:
                service.kill()
