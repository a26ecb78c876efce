"""The documentation site: `python docs/build_site.py` builds it."""

import sys
from pathlib import Path

import fc_callback

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "fc_callback"
author = project_copyright = "The fc_callback authors"
version = release = fc_callback.__version__
html_title = f"{project} {release}"

extensions = ["myst_parser", "site_pages", "search_words"]
exclude_patterns = ["_ext"]
smartquotes = False  # they would change `--options` in texts
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_copy_source = False  # each page has its Markdown beside it
html_show_sphinx = False
templates_path = ["_templates"]
html_static_path = ["_static"]
html_css_files = ["versions.css"]
html_js_files = [("versions.js", {"defer": "defer"})]
html_search_language = "en-zh"  # docs/_ext/search_words.py
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/versions.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}

linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_ignore = [
    r"https?://(127\.0\.0\.1|localhost)\b.*",
    r"https?://([\w-]+\.)*example\.(com|org)\b.*",
    r"https://github\.com/fc-callback/.*",  # pages of a release that is not published yet
]
# JavaScript makes the anchors of these pages.
linkcheck_anchors_ignore_for_url = [
    r"https://github\.com/.*",
    r"https://(www\.)?alibabacloud\.com/help/.*",
    r"https://help\.aliyun\.com/.*",
]
