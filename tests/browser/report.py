"""Opens reports in a real browser and checks what a reader relies on.

    python report.py --browser PATH --axe axe.min.js --out FOLDER REPORT/index.html ...

The first report and its samples of the pages of runs and arms are opened in light, dark, 360 px wide and print, the others
in light and 360 px wide. Fails on: a console message or script error, a request that
leaves the report's folder (the first page: any request but its own), a chart without series data or without a drawing,
a table that does not filter or sort, a CSV download without rows, a link that leads nowhere, content wider than the
window, a serious or critical violation that axe-core finds, text of the data that became an element. Pictures of all
renderings are left in FOLDER.

Now and then a browser stands still: all of its threads wait, for each other or for a frame that nobody draws. That says
nothing of the page. When its processes have computed nothing for STILL seconds, it is ended, and the rendering that was
being checked is opened in a new one; ATTEMPTS of them are a failure.
"""

import argparse
import csv
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

from playwright.sync_api import Error
from playwright.sync_api import sync_playwright

RENDERINGS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 360, "height": 740}, "color_scheme": "light"},
    "print": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
}
FEW = {name: RENDERINGS[name] for name in ("light", "narrow")}

# Scrolls down so that charts are made, which happens when they come near the window. A headless browser sometimes draws
# no frame until something asks for one, so nobody waits for frames without end.
SCROLL = """async () => {
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 15)));
  const late = () => new Promise((done) => setTimeout(done, 200));
  for (let y = 0; y < document.documentElement.scrollHeight; y += 600) {
    scrollTo({ top: y, behavior: "instant" });
    await Promise.race([drawn(), late()]);
  }
  scrollTo({ top: 0, behavior: "instant" });
}"""

# Whether a chart is still to be made.
WAITING = """() => typeof echarts === "object" &&
  [...document.querySelectorAll(".chart")].some((element) => !echarts.getInstanceByDom(element))"""

# Charts that have no series data, or whose drawing has no path.
EMPTY_CHARTS = """() => [...document.querySelectorAll(".chart")].filter((element) => {
  const chart = echarts.getInstanceByDom(element);
  if (!chart) return true;
  const series = chart.getOption().series || [];
  const points = series.reduce((sum, s) => sum + (s.data || []).filter((d) => d !== null).length, 0);
  return points === 0 || element.querySelectorAll("svg path").length === 0;
}).map((element) => element.getAttribute("aria-label"))"""

# Elements beyond the right edge, those aside that scroll by themselves.
TOO_WIDE = """() => [...document.querySelectorAll("body *")].filter((element) => {
  const box = element.getBoundingClientRect();
  return box.width > 0 && box.right > innerWidth + 1 && !element.closest(".scroll, svg, .tag, figure, .skip, thead");
}).map((element) => `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 40)}`)"""


# Seconds without work after which a browser stands still: the checks themselves never wait for one second.
STILL = 8
# Seconds for one rendering of a page, whatever the browser does; ten are usual, more on a machine that is busy.
LIMIT = 900
ATTEMPTS = 6
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def descendants(pid):
    """Processes that this one has started, and those that they have."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name before may hold anything, brackets too.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found.extend(children.get(child, []))
    return found


def browser_processes():
    for pid in descendants(os.getpid()):
        try:
            if "chrom" in Path(f"/proc/{pid}/comm").read_text():
                yield pid
        except OSError:
            pass


def end_browser():
    """Ends the browser that stands still, so that whatever waits for it fails."""
    for pid in browser_processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def work_done():
    """Processor time of the browser so far in ticks, and whether a thread of it could compute now."""
    ticks, is_ready = 0, False
    for pid in browser_processes():
        for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
            # Of a machine that is busy with something else a browser gets little, which is no standstill. `D` waits for a disk.
            is_ready |= fields[0] in "RD"
    return ticks, is_ready


class Watch:
    """Ends the browser when it stands still while a check goes on."""

    # Ticks (of 0.01 s) per second that an idle browser takes all the same.
    IDLE = 3

    def __init__(self):
        self.since = None
        threading.Thread(target=self.look, daemon=True).start()

    def __enter__(self):
        self.since = time.monotonic()

    def __exit__(self, *_):
        self.since = None

    def look(self):
        before, still = 0, 0
        while True:
            time.sleep(1)
            since = self.since
            if since is None:
                still = 0
                continue
            ticks, is_ready = work_done()
            still = 0 if is_ready or abs(ticks - before) > self.IDLE else still + 1
            before = ticks
            if still >= STILL or time.monotonic() - since > LIMIT:
                end_browser()
                still = 0


class Failures:
    def __init__(self):
        self.found = []

    def check(self, holds, text):
        if not holds:
            self.found.append(text)
            print(f"  FAILED {text}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--browser", required=True)
    parser.add_argument("--axe", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("reports", nargs="+", type=Path)
    args = parser.parse_args()
    failures = Failures()
    axe = args.axe.read_text()
    with sync_playwright() as playwright:
        browser = Browser(playwright, args.browser, failures)
        for number, index in enumerate(args.reports, 1):
            renderings = RENDERINGS if index == args.reports[0] else FEW
            for page in [index, *samples(index)]:
                check_page(browser, number, page.resolve(), index.resolve(), renderings, axe, args.out, failures)
        browser.close()
    print(f"{browser.ended} browsers stood still, {len(failures.found)} failures")
    return 1 if failures.found else 0


class Browser:
    """A browser, replaced by another where it stands still."""

    def __init__(self, playwright, path, failures):
        self.playwright, self.path, self.failures = playwright, path, failures
        self.browser, self.watch, self.ended = None, Watch(), 0

    def carry_out(self, where, check):
        """`check(browser)`, once more from its beginning when the browser stands still."""
        before = len(self.failures.found)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.watch:
                    if self.browser is None:
                        self.browser = self.playwright.chromium.launch(executable_path=self.path, args=FLAGS)
                    return check(self.browser)
            except Error as error:
                end_browser()
                self.browser = None
                self.ended += 1
                print(f"  {where}: attempt {attempt} of {ATTEMPTS}: {str(error).splitlines()[0]}", flush=True)
                if attempt < ATTEMPTS:
                    del self.failures.found[before:]
        self.failures.check(False, f"{where}: no browser came to the end")
        return 0

    def close(self):
        if self.browser is not None:
            self.browser.close()


def samples(index):
    """The first page of a run and the first of an arm, where there are any; all of them come from one template."""
    for folder in ["runs", "arms"]:
        yield from sorted((index.parent / folder).glob("*.html"))[:1]


def check_page(browser, number, path, index, renderings, axe, out, failures):
    name = "-".join([str(number), *path.relative_to(index.parent.parent).with_suffix("").parts])
    start, charts = time.monotonic(), 0
    for rendering, options in renderings.items():
        where = f"{name} {rendering}"
        parts = (where, name, rendering, options, path, index, axe, out, failures)
        charts = browser.carry_out(where, lambda opened: check_rendering(opened, *parts))
    browser.carry_out(f"{name} without scripts", lambda opened: check_without_scripts(opened, path, name, failures))
    seconds = time.monotonic() - start
    print(f"{name}: {charts} charts, {len(renderings)} renderings in {seconds:.1f} s", flush=True)


def check_rendering(browser, where, name, rendering, options, path, index, axe, out, failures):
    """Number of charts of the page."""
    context = browser.new_context(accept_downloads=True, offline=False, **options)
    page = context.new_page()
    page.set_default_timeout(LIMIT * 1000)
    messages, requests = [], []
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("dialog", lambda dialog: (messages.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    scroll(page)
    charts = len(page.query_selector_all(".chart"))
    if charts:
        failures.check(page.evaluate("typeof echarts") == "object", f"{where}: the charts' library is not there")
        check_charts(page, where, failures)
    if rendering == "print":
        page.emulate_media(media="print")
        page.pdf(path=out / f"{name}-print.pdf", format="A4", print_background=True)
        failures.check((out / f"{name}-print.pdf").stat().st_size > 20_000, f"{where}: the print is empty")
    else:
        page.screenshot(path=out / f"{name}-{rendering}.png", full_page=page.evaluate("document.documentElement.scrollHeight") < 16_000)
    check_width(page, where, failures)
    if rendering in ("light", "dark", "narrow"):
        check_accessibility(page, axe, where, failures)
    if rendering == "light":
        check_tables(page, where, failures)
        check_legend(page, where, failures)
        check_links(page, path, where, failures)
        check_downloads(page, out, where, failures)
    if path.parent.name == "runs":
        check_news(page, where, failures)
    outside = [url for url in requests if not is_inside(url, path, index)]
    failures.check(not outside, f"{where}: requests {outside[:3]}")
    failures.check(not messages, f"{where}: console {messages[:3]}")
    context.close()
    return charts


def scroll(page):
    """Down and up again, until all charts are made or a few attempts have not been enough."""
    for _ in range(4):
        page.evaluate(SCROLL)
        if not page.evaluate(WAITING):
            return
        # Makes the browser draw.
        page.screenshot()


def is_inside(url, path, index):
    """The first page asks for nothing but itself; the others share files of the report's folder."""
    if url.startswith(("data:", "blob:")):
        return True
    if path == index:
        return url == path.as_uri()
    return url.startswith(index.parent.as_uri() + "/")


def check_charts(page, where, failures):
    empty = page.evaluate(EMPTY_CHARTS)
    failures.check(not empty, f"{where}: charts without data or drawing: {empty[:3]}")


def check_width(page, where, failures):
    wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    failures.check(wide <= room, f"{where}: {wide} px of content in a window of {room} px")
    too_wide = page.evaluate(TOO_WIDE)
    failures.check(not too_wide, f"{where}: beyond the right edge: {too_wide[:3]}")


def check_accessibility(page, axe, where, failures):
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'], preload: false })")
    grave = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
    for violation in grave:
        example = violation["nodes"][0]
        failures.check(False, f"{where}: axe {violation['id']}, {len(violation['nodes'])} times: {example['html'][:160]} {example['failureSummary'][:160]}")


def check_tables(page, where, failures):
    for table in page.query_selector_all("table.sortable"):
        label = table.get_attribute("data-csv")
        rows = "t => [...t.tBodies[0].rows].filter(r => !r.hidden && !r.classList.contains('divider'))"
        if len(table.evaluate(f"t => ({rows})(t).map(r => r.textContent)")) < 2:
            continue
        heads = table.query_selector_all("thead th")
        column = next((i for i, head in enumerate(heads) if "num" in (head.get_attribute("class") or "")), 0)
        button = heads[column].query_selector("button")
        # By keyboard, as by mouse.
        button.focus()
        page.keyboard.press("Enter")
        first = heads[column].get_attribute("aria-sort")
        # What a cell is sorted by: its value, else the number that it shows. Other text is left out.
        shown = "c => c.dataset.value ?? c.textContent.trim().replace(/\\u2212/g, '-').replace(/[,%]/g, '')"
        values = f"t => ({rows})(t).map(r => r.cells[{column}]).map({shown}).filter(v => v !== '' && !Number.isNaN(Number(v))).map(Number)"
        descending = table.evaluate(values)
        page.keyboard.press("Enter")
        second = heads[column].get_attribute("aria-sort")
        ascending = table.evaluate(values)
        failures.check({first, second} == {"ascending", "descending"}, f"{where}: table {label}: aria-sort {first}, {second}")
        if first == "descending":
            failures.check(descending == sorted(descending, reverse=True), f"{where}: table {label} does not sort down: {descending[:5]}")
            failures.check(ascending == sorted(ascending), f"{where}: table {label} does not sort up: {ascending[:5]}")
        # The list that narrow pages have instead of headings: choosing a column again turns the order round.
        chosen = table.evaluate(f"""t => {{
          const select = (t.closest(".scroll") || t).previousElementSibling.querySelector("select.sort-by");
          const choose = () => {{
            select.value = "{column}";
            select.dispatchEvent(new Event("change"));
            return t.tHead.rows[0].cells[{column}].getAttribute("aria-sort");
          }};
          return [choose(), choose()];
        }}""")
        failures.check(set(chosen) == {"ascending", "descending"}, f"{where}: table {label}: the list sorts {chosen}")
    for search in page.query_selector_all(".tools input[type=search]"):
        table = search.evaluate_handle("i => { const next = i.closest('.tools').nextElementSibling; return next.matches('table') ? next : next.querySelector('table'); }")
        count = "t => [...t.tBodies].flatMap(b => [...b.rows]).filter(r => !r.hidden && !r.classList.contains('divider')).length"
        before = table.evaluate(count)
        word = table.evaluate("t => t.tBodies[0].rows[1].cells[0].textContent.trim().split(/\\s+/)[0]")
        search.fill(word)
        after = table.evaluate(count)
        search.fill("no row has these words")
        none = table.evaluate(count)
        search.fill("")
        again = table.evaluate(count)
        label = search.get_attribute("aria-label")
        failures.check(1 <= after <= before and none == 0 and again == before, f"{where}: {label}: {before}, {after} with {word!r}, {none}, {again}")


def check_legend(page, where, failures):
    for legend in page.query_selector_all(".legend"):
        button = legend.query_selector("button")
        before = button.get_attribute("aria-pressed")
        button.focus()
        page.keyboard.press("Space")
        failures.check(button.get_attribute("aria-pressed") != before, f"{where}: a line of the legend does not switch")
        page.keyboard.press("Space")


def check_links(page, path, where, failures):
    for link in {a.get_attribute("href") for a in page.query_selector_all("a[href]")}:
        if link.startswith("#"):
            failures.check(page.query_selector(f"[id='{link[1:]}']"), f"{where}: {link} leads nowhere")
        else:
            failures.check((path.parent / link).is_file(), f"{where}: {link} is not there")


# What a button would save: name and text of the file, without the browser's download, which it limits in number.
SAVED = """async (button) => {
  const { createObjectURL } = URL;
  const { click } = HTMLAnchorElement.prototype;
  let [blob, name] = [null, null];
  URL.createObjectURL = (what) => { blob = what; return "blob:none"; };
  HTMLAnchorElement.prototype.click = function () { name = this.download; };
  button.click();
  URL.createObjectURL = createObjectURL;
  HTMLAnchorElement.prototype.click = click;
  return { name, text: await blob.text() };
}"""


def check_downloads(page, out, where, failures):
    buttons = page.query_selector_all("button.csv")
    failures.check(len(buttons) >= len(page.query_selector_all(".chart")), f"{where}: charts without a download")
    for button in buttons:
        saved = button.evaluate(SAVED)
        rows = list(csv.reader(saved["text"].splitlines()))
        widths = {len(row) for row in rows}
        label = button.get_attribute("aria-label")
        failures.check(len(rows) > 1 and len(widths) == 1, f"{where}: {label}: {len(rows)} rows of {sorted(widths)} cells")
        ends = ("95%", "95% low", "95% high")
        joined = [cell for row in rows[1:] for head, cell in zip(rows[0], row) if head.endswith(ends) and " to " in cell]
        failures.check(not joined, f"{where}: {label}: both ends of an interval in one cell: {joined[:2]}")
        failures.check(re.fullmatch(r"[\w.-]+\.csv", saved["name"]), f"{where}: {label}: named {saved['name']}")
    chart = page.query_selector("figcaption button.csv")
    if chart:
        expected = chart.evaluate(SAVED)
        with page.expect_download(timeout=30_000) as waiting:
            # Playwright's own click waits for frames in which the button does not move.
            chart.evaluate("button => button.click()")
        file = out / "download.csv"
        waiting.value.save_as(file)
        failures.check(file.read_text(encoding="utf-8") == expected["text"], f"{where}: the saved file differs from the chart's data")


def check_news(page, where, failures):
    """Headlines of the made-up data hold elements; in the page they are text, and in the tooltip of the timeline too."""
    if not page.evaluate("window.flaglabNews && Object.keys(window.flaglabNews).length > 0"):
        return
    failures.check(page.evaluate("document.querySelectorAll('main script, main img, main iframe').length") == 0, f"{where}: an element of the data is in the page")
    told = page.evaluate("""async () => {
      const element = document.querySelector(".timeline");
      element.scrollIntoView({ block: "center", behavior: "instant" });
      const chart = echarts.getInstanceByDom(element);
      const dates = chart.getOption().xAxis[0].data;
      const dataIndex = dates.findIndex((date) => Object.hasOwn(window.flaglabNews, date));
      chart.dispatchAction({ type: "showTip", seriesIndex: 0, dataIndex });
      await new Promise((done) => setTimeout(done, 300));
      const news = window.flaglabNews[dates[dataIndex]];
      return { news, text: element.textContent, elements: element.querySelectorAll("script, img").length };
    }""")
    for headline in told["news"]:
        failures.check(headline in told["text"], f"{where}: the tooltip lacks {headline!r}")
    failures.check(told["elements"] == 0, f"{where}: a headline became an element of the tooltip")


def check_without_scripts(browser, path, name, failures):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(path.as_uri())
    text = page.inner_text("body")
    failures.check(re.search(r"\d", text), f"{name}: no number is readable without scripts")
    shown = page.locator(".needs-script:visible").count()
    failures.check(shown == 0, f"{name}: {shown} parts that need scripts show without them")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
