"""Small projects that were not made from our templates, written anew after what public ones look like."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HELLO_WORLD = """\
edition: 3.0.0
name: hello-world-app
access: "default"

vars: # global variables
  region: "cn-hangzhou"

resources:
  hello_world:
    component: fc3
    props:
      region: ${vars.region}
      functionName: "start-python"
      description: 'hello world by serverless devs'
      runtime: "python3.10"
      code: ./code
      handler: index.handler
      memorySize: 128
      timeout: 30
      # triggers:
      #   - triggerName: httpTrigger
"""
HANDLER = """\
# -*- coding: utf-8 -*-
import logging

# To enable the initializer feature, implement it here.


def handler(event, context):
    logger = logging.getLogger()
    logger.info('hello world')
    return 'hello world'
"""
ARN = "acs:ram::1234567890123456:role/hello-role"


def make_project(folder: Path, manifest: str = HELLO_WORLD, handler: str = HANDLER, **files: str) -> Path:
    """Write a project."""
    given = {"s.yaml": textwrap.dedent(manifest), "code/index.py": textwrap.dedent(handler)}
    for name, text in {**given, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a project and what they hold."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
