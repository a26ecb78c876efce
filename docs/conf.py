"""The documentation site: `sphinx-build -W -b html docs build/site`."""

import sys
from pathlib import Path

import fc_callback

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "fc_callback"
author = "The fc_callback authors"
version = release = fc_callback.__version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "site_pages"]
exclude_patterns = ["_ext"]
smartquotes = False  # they would change `--options` in texts
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_copy_source = False  # each page has its Markdown beside it
html_show_sphinx = False

linkcheck_timeout = 20
linkcheck_retries = 2
# Addresses of examples, and pages of a release that is not published yet.
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"http://localhost.*", r"https://github\.com/fc-callback/.*"]
