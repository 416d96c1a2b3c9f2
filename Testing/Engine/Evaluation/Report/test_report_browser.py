"""The report opens in a browser: no script error, all pictures there, nothing asked of the network.

Runs in the first browser that is found: Chromium, Chrome or Edge on the PATH, else Qt's Chromium (PySide6-WebEngine),
each without a window and in a process of its own.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "msedge", "microsoft-edge")
SECONDS = 120

# Set before anything else on the page runs.
WATCH = """<script>
window.troubles = [];
addEventListener("error", (e) => troubles.push(String(e.message || e.target.outerHTML).slice(0, 200)), true);
addEventListener("unhandledrejection", (e) => troubles.push(String(e.reason)));
addEventListener("securitypolicyviolation", (e) => troubles.push("blocked " + e.blockedURI));
</script>"""

# What a reader would do: look at the pictures, and sort the first table by Dice.
PROBE = """<script>
addEventListener("load", () => {
  const first = document.querySelector("table.sortable");
  const column = Array.from(first.tHead.rows[0].cells).findIndex((c) => c.textContent.startsWith("Dice, whole"));
  const values = () => Array.from(first.tBodies[0].rows).map((row) => Number(row.cells[column].dataset.value));
  const before = values();
  const button = first.tHead.rows[0].cells[column].querySelector("button");
  button.click();
  const rising = values();
  button.click();
  const report = document.createElement("pre");
  report.id = "probe";
  report.textContent = JSON.stringify({
    troubles,
    images: Array.from(document.images).map((i) => [i.complete, i.naturalWidth, i.naturalHeight, i.alt]),
    asked: performance.getEntriesByType("resource").map((e) => e.name).filter((name) => !name.startsWith("data:")),
    before, rising, falling: values(),
    beyond: document.documentElement.scrollWidth - Math.max(innerWidth, 640),
  });
  document.body.append(report);
});
</script>"""

QT = """
import sys
from PySide6.QtCore import QUrl
from PySide6.QtWebEngineCore import QWebEnginePage, QWebEngineUrlRequestInterceptor
from PySide6.QtWidgets import QApplication

class Watch(QWebEngineUrlRequestInterceptor):
    def interceptRequest(self, request):
        if request.requestUrl().scheme() not in ("file", "data"):
            sys.exit("asked for " + request.requestUrl().toString())

application = QApplication(["report"])
page = QWebEnginePage()
watch = Watch()
page.setUrlRequestInterceptor(watch)

def show(html):
    sys.stdout.buffer.write(html.encode("utf-8"))
    sys.stdout.flush()
    application.quit()

page.loadFinished.connect(lambda fine: page.toHtml(show))
page.load(QUrl.fromLocalFile(sys.argv[1]))
application.exec()
"""


def command(path, folder):
    """Command that prints the page's elements after it has run."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found:
        return [
            found,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--user-data-dir={folder}",
            # no name is ever looked up, so that nothing could be loaded unseen
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=20000",
            "--dump-dom",
            path.as_uri(),
        ]
    if importlib.util.find_spec("PySide6") and importlib.util.find_spec("PySide6.QtWebEngineCore"):
        return [sys.executable, "-c", QT, str(path)]
    return None


def opened(files, folder):
    """What the probe saw."""
    html = files.html.read_text(encoding="utf-8")
    page = folder / "probed.html"
    page.write_text(html.replace("<title>", WATCH + "<title>", 1).replace("</body>", PROBE + "</body>"), "utf-8")
    asked = command(page, folder / "profile")
    if asked is None:
        pytest.fail("No browser: install chromium, or pip install PySide6-WebEngine.")
    environment = os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
        "QTWEBENGINE_CHROMIUM_FLAGS": "--disable-gpu",
    }
    done = subprocess.run(asked, capture_output=True, timeout=SECONDS, env=environment, cwd=folder, check=False)
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    assert found, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(unescape(found[1]))


def test_it_opens_in_a_browser(sample, tmp_path):
    seen = opened(sample.files, tmp_path)
    assert seen["troubles"] == []
    assert seen["asked"] == []
    # one picture by setting, two each of spread and extent, time, confidence, and one for each of two organs
    assert len(seen["images"]) == 9
    for complete, width, height, alternative in seen["images"]:
        assert complete and width > 200 and height > 150 and alternative
    # wide tables scroll in their own frames (Qt's page has hardly any size of its own)
    assert seen["beyond"] <= 0
    assert sorted(seen["before"]) == seen["rising"] == seen["falling"][::-1] != seen["before"]
    assert len(seen["before"]) == 6


def test_a_fault_would_be_seen(report, row, tmp_path):
    files = report([row(0.5), row(0.6, method="copy")], notes=["x"])
    html = files.html.read_text(encoding="utf-8")
    faults = '<img src="data:image/png;base64,AAAA" alt="broken"><img src="https://example.invalid/a.png" alt="far">'
    files.html.write_text(html.replace("</main>", f"{faults}<script>nothing.there()</script></main>"), "utf-8")
    seen = opened(files, tmp_path)
    assert any("nothing is not defined" in trouble for trouble in seen["troubles"])
    assert any("example.invalid" in trouble for trouble in seen["troubles"])
    assert [width for _, width, _, alternative in seen["images"] if alternative in ("broken", "far")] == [0, 0]
