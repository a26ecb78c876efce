"""Draw docs/diagrams/*.mmd as SVG files: `python docs/diagrams.py`.

The text of the tutorial's flow, orders.mmd, is what `fc-callback flow graph` prints. Mermaid comes from npm, and an installed
Chromium draws. It needs the extra `test`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent / "diagrams"
TUTORIAL = Path(__file__).parent / "tutorial.md"
MERMAID = "mermaid@11"
CHROMIUM = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
# A white ground makes one picture readable in a light and in a dark theme. Text is SVG text, which an <img> can show.
DRAW = """async ([name, text]) => {
  mermaid.initialize({
    startOnLoad: false, theme: "neutral", htmlLabels: false, deterministicIds: true,
    flowchart: {htmlLabels: false, nodeSpacing: name === "orders" ? 300 : 50, rankSpacing: name === "orders" ? 70 : 50},
    fontFamily: "sans-serif"
  });
  return (await mermaid.render(name, text)).svg;
}"""


def tutorial_graph() -> str:
    """Return the graph of the tutorial's flow, as `fc-callback flow graph` prints it."""
    found = re.search(
        r"<!-- file: flows/orders.yaml -->\s+```yaml\n(.*?)^```", TUTORIAL.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found is not None
    with tempfile.TemporaryDirectory() as folder:
        flow = Path(folder) / "orders.yaml"
        flow.write_text(found[1], "utf-8")
        command = [sys.executable, "-m", "fc_callback", "flow", "graph", str(flow)]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    """Draw all diagrams."""
    (FOLDER / "orders.mmd").write_text(tutorial_graph(), "utf-8")
    npm = shutil.which("npm")
    if CHROMIUM is None or npm is None:
        sys.exit("Chromium or npm is missing: apt-get install chromium npm")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        subprocess.run([npm, "pack", MERMAID, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            archive.extract("package/dist/mermaid.min.js", folder, filter="data")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.add_script_tag(path=Path(folder) / "package" / "dist" / "mermaid.min.js")
        for source in sorted(FOLDER.glob("*.mmd")):
            drawn = page.evaluate(DRAW, [source.stem, source.read_text("utf-8")])
            # Without HTML labels, Mermaid escapes the entity of `>` again.
            drawn = (
                drawn.replace("&amp;#62;", "&gt;")
                .replace("<br>", "<br/>")
                .replace(' style="', ' style="background: white; ', 1)
            )
            digest = hashlib.sha256(source.read_bytes()).hexdigest()  # a test compares it
            source.with_suffix(".svg").write_text(f"{drawn}\n<!-- drawn from {digest} -->\n", "utf-8")
        browser.close()


if __name__ == "__main__":
    main()
