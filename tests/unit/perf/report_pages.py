#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the pages of reports as a reader does: in a browser, light and dark, wide and narrow.

    report_pages.py PROGRAM [--keep FOLDER]

PROGRAM writes the pages. What needs no browser is looked at first: that the markup is closed, that
nothing is loaded from elsewhere, and that hostile names stay names. Then Chromium shows all pages
in one go: no plot is empty, none is wider than the page, nothing is said on the console. Without
Chromium the second half is skipped (77).
"""
import argparse
import base64
import hashlib
import html.parser
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

VOID = {"meta", "br", "hr", "link", "img", "input", "path", "line", "rect", "circle"}
WIDTHS = (1280, 400)
PICTURED = ("load", "compare")  # every kind of plot; the others are only measured
SCALE = 0.25  # of the picture by the page: fewer bytes to unpack
HEIGHT_MAX = 3600  # what is further down is not in the picture
GAP = 20
INK_LEAST = 0.004  # share of the pixels of a plot that are no background
DEADLINE = 60  # of a browser, on a busy machine

PROBE = """
const rect = e => {
	const r = e.getBoundingClientRect();
	return [r.left, r.top, r.width, r.height];
};
const svg = document.querySelector(".plot > svg");
let tip = null;
if (svg) {
	const clientX = svg.getBoundingClientRect().left + svg.getBoundingClientRect().width / 2;
	svg.dispatchEvent(new PointerEvent("pointermove", { clientX }));
	tip = svg.parentNode.querySelector(".tip:not([hidden])")?.textContent ?? "";
	svg.dispatchEvent(new PointerEvent("pointerleave"));
}
const shown = [...document.querySelectorAll("svg text")].filter(e => e.getClientRects().length);
parent.postMessage({
	name: location.hash,
	width: document.documentElement.clientWidth,
	scroll: document.documentElement.scrollWidth,
	height: document.documentElement.scrollHeight,
	outside: shown.filter(e => { const r = e.getBoundingClientRect();
		return r.left < 0 || r.right > innerWidth; }).map(e => e.textContent),
	plots: [...document.querySelectorAll(".plot > svg, tbody .strip > svg")].map(rect),
	tip,
	dark: matchMedia("(prefers-color-scheme: dark)").matches,
}, "*");
"""

failures = []


def check(holds, what):
    if not holds:
        failures.append(what)
        print(f"FAILED: {what}")


class Markup(html.parser.HTMLParser):
    """Whether each element is closed, which there are, and their attributes."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.wrong, self.tags, self.attributes, self.data = [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attributes]
        if tag not in VOID or tag == "path":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attributes]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data):
        self.data.append(data)


def look_at_source(name, text):
    markup = Markup()
    markup.feed(text)
    markup.close()
    check(not markup.wrong and not markup.open, f"{name}: {markup.wrong[:3]} {markup.open[:3]}")
    check(markup.tags.count("script") == 1, f"{name}: {markup.tags.count('script')} scripts")
    check({"img", "link", "iframe", "object", "a", "base"}.isdisjoint(markup.tags),
          f"{name}: has elements that load something")
    for tag, key, value in markup.attributes:
        check(key not in ("src", "href", "style", "xlink:href") and not key.startswith("on"),
              f"{name}: <{tag} {key}={value}>")
        check(key == "xmlns" or "url(" not in (value or ""), f"{name}: <{tag} {key}={value}>")
    titled = re.findall(r'<svg role="img"[^>]*>\s*<title', text)
    check(text.count('<svg role="img"') == len(titled), f"{name}: a plot without a title")
    ids = [value for _, key, value in markup.attributes if key == "id"]
    check(len(ids) == len(set(ids)), f"{name}: an id is there twice")
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    check(f"script-src 'sha256-{digest}'" in text,
          f"{name}: the policy forbids the script: PAGE_SCRIPT_HASH should be sha256-{digest}")
    for value in ("nan", "inf", "-nan"):
        check(not re.search(rf'="{value}|[ML ]{value}\b|>{value} ', text), f"{name}: has a {value}")
    if name.startswith("hostile"):
        shown = " ".join(markup.data)
        check("</script><script>alert(1)</script>" in shown, f"{name}: does not show the name")
        check("\ufffd" in shown and "\x1b" not in text and "\u202e" not in text,
              f"{name}: control characters")


def with_probe(text):
    """The page with a script more that tells its measures to the page around it."""
    digest = base64.b64encode(hashlib.sha256(PROBE.encode()).digest()).decode()
    text = text.replace("script-src '", f"script-src 'sha256-{digest}' '", 1)
    return text.replace("</body>", f"<script>{PROBE}</script></body>", 1)


def browser(program, folder, page, *options):
    """What it printed; a profile of its own, as the user's may be in use or missing."""
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
               "--no-first-run", "--disable-extensions", "--disable-background-networking",
               "--hide-scrollbars", "--enable-logging=stderr", "--virtual-time-budget=4000",
               f"--user-data-dir={folder}/profile", *options, f"file://{page}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)


def wall(folder, names, heights):
    """One page with all pages beside each other, each as wide as a window would be."""
    frames = []
    for width in WIDTHS:
        frames += [f'<iframe src="{name}.html#{name}-{width}" width="{width}" '
                   f'height="{heights.get(f"{name}-{width}", 900)}"></iframe>' for name in names]
    page = folder / "wall.html"
    page.write_text(
        "<!doctype html><meta charset=utf-8><style>body{margin:0;background:#888;width:max-content;"
        f"display:flex;gap:{GAP}px;align-items:flex-start}}iframe{{border:0;flex:none}}</style>"
        "<script>const all = []; onmessage = e => { all.push(e.data);"
        "document.getElementById('all').textContent = JSON.stringify(all)"
        ".replaceAll('<', '\\\\u003c'); };</script>"
        + "".join(frames) + '<script type="application/json" id="all"></script>')
    return page


def measure(program, folder, names):
    done = browser(program, folder, wall(folder, names, {}), "--dump-dom", "--window-size=1280,900")
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    check(not complaints, f"the console says {complaints[:3]}")
    found = re.search(r'id="all">(.*?)</script>', done.stdout, re.S)
    if not found or not found.group(1):
        check(False, f"the pages told nothing: {done.stderr[-2000:]}")
        return {}
    return {page["name"][1:]: page for page in json.loads(found.group(1))}


def read_png(data):
    """Width, height, bytes of a pixel, and the rows of a PNG."""
    at, width, height, depth, kind, packed = 8, 0, 0, 0, 0, b""
    while at < len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        if name == b"IHDR":
            width, height, depth, kind = struct.unpack(">IIBB", data[at + 8:at + 18])
        elif name == b"IDAT":
            packed += data[at + 8:at + 8 + size]
        at += size + 12
    assert depth == 8 and kind in (2, 6), (depth, kind)
    pixel = 3 if kind == 2 else 4
    raw, stride, rows = zlib.decompress(packed), width * pixel, []
    above = bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        row = bytearray(raw[start + 1:start + 1 + stride])
        how = raw[start]
        if how == 1:
            for i in range(pixel, stride):
                row[i] = (row[i] + row[i - pixel]) & 255
        elif how == 2:
            row = bytearray((a + b) & 255 for a, b in zip(row, above))
        elif how == 3:
            for i in range(stride):
                left = row[i - pixel] if i >= pixel else 0
                row[i] = (row[i] + (left + above[i]) // 2) & 255
        elif how == 4:
            for i in range(stride):
                a, b = (row[i - pixel], above[i - pixel]) if i >= pixel else (0, 0)
                # `a` is left, `b` above left.
                c, up = b, above[i]
                p = a + up - c
                pa, pb, pc = abs(p - a), abs(p - up), abs(p - c)
                best = a if pa <= pb and pa <= pc else up if pb <= pc else c
                row[i] = (row[i] + best) & 255
        rows.append(row)
        above = row
    return width, height, pixel, rows


def ink(picture, left, top, width, height):
    """The share of a rectangle that is no background, and how many of it are in colour."""
    _, rows_count, pixel, rows = picture
    counts = {}
    for y in range(max(0, int(top)), min(rows_count, int(top + height))):
        row = rows[y]
        for x in range(int(left), int(left + width)):
            key = bytes(row[x * pixel:x * pixel + 3])
            counts[key] = counts.get(key, 0) + 1
    total = sum(counts.values())
    if total == 0:
        return 0, 0
    background = max(counts, key=counts.get)
    coloured = sum(n for key, n in counts.items() if max(key) - min(key) > 40)
    return 1 - counts[background] / total, coloured / total


def look_at_picture(program, folder, names, pages, is_dark):
    heights = {name: min(page["height"], HEIGHT_MAX) for name, page in pages.items()
               if name.rsplit("-", 1)[0] in names}
    size = [sum(int((width + GAP)) * len(names) for width in WIDTHS), max(heights.values())]
    picture = folder / ("dark.png" if is_dark else "light.png")
    options = [f"--screenshot={picture}", f"--window-size={size[0]},{size[1]}",
               f"--force-device-scale-factor={SCALE}"]
    if is_dark:
        options += ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]
    browser(program, folder, wall(folder, names, heights), *options)
    if not picture.exists():
        check(False, f"there is no {picture.name}")
        return
    png = read_png(picture.read_bytes())
    left = 0
    for width in WIDTHS:
        for name in names:
            page = pages[f"{name}-{width}"]
            corner = png[3][4][int(SCALE * (left + 4)) * png[2]:][:3]
            check((sum(corner) < 200) == is_dark,
                  f"{name}-{width}: the paper is {list(corner)}, dark: {is_dark}")
            for plot in page["plots"]:
                if plot[1] + plot[3] > HEIGHT_MAX:
                    continue
                share, coloured = ink(png, SCALE * (left + plot[0]), SCALE * plot[1],
                                      SCALE * plot[2], SCALE * plot[3])
                # A verdict may be grey, a line of a plot may not.
                check(share > INK_LEAST and (coloured > 0 or plot[3] < 100),
                      f"{name}-{width}: a plot at {plot} has {share:.4f} ink, "
                      f"{coloured:.4f} coloured, dark: {is_dark}")
            left += width + GAP


def look(program, folder, names):
    pages = measure(program, folder, names)
    for width in WIDTHS:
        for name in names:
            page = pages.get(f"{name}-{width}")
            if page is None:
                check(False, f"{name}-{width}: was not shown")
                continue
            check(page["scroll"] <= page["width"],
                  f"{name}-{width}: is {page['scroll']} wide in a window of {page['width']}")
            check(not page["outside"], f"{name}-{width}: texts outside: {page['outside'][:5]}")
            check(len(page["plots"]) >= 3, f"{name}-{width}: {len(page['plots'])} plots")
            check(page["tip"] and re.search(r"\d (ns|us|ms|s)", page["tip"]),
                  f"{name}-{width}: shows {page['tip']} at the pointer")
    if len(pages) == len(WIDTHS) * len(names):
        look_at_picture(program, folder, PICTURED, pages, False)
        look_at_picture(program, folder, PICTURED, pages, True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--keep", type=pathlib.Path, help="leave pages and pictures there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        subprocess.run([options.program, folder], check=True, timeout=DEADLINE)
        names = sorted(page.stem for page in folder.glob("*.html") if page.stem != "wall")
        for name in names:
            page = folder / f"{name}.html"
            text = page.read_text(encoding="utf-8")
            look_at_source(name, text)
            page.write_text(with_probe(text), encoding="utf-8")
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        if program:
            look(program, folder.resolve(), names)
    if failures:
        return 1
    if not program:
        print("skipped: there is no chromium")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
