#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks at the pages of reports as a reader does: in a browser, light and dark, wide and narrow.

    report_pages.py PROGRAM [--keep FOLDER]

PROGRAM writes the pages. What needs no browser is looked at first: that the markup is closed, that
nothing is loaded from elsewhere, and that hostile names stay names. Then Chromium shows them: no
plot is empty, none is wider than the page, no text is faint or covers another, nothing is said on
the console. Without Chromium the second half is skipped (77).
"""
import argparse
import base64
import hashlib
import html.parser
import pathlib
import re
import subprocess
import sys
import tempfile

import browser

VOID = {"meta", "br", "hr", "link", "img", "input", "path", "line", "rect", "circle"}
LOOKS = ((1280, "light"), (1280, "dark"), (400, "light"))
PICTURED = ("load", "compare")  # every kind of plot; the others are only measured
SCALE = 0.5  # of the picture by the page: fewer pixels to count
INK_LEAST = 0.004  # share of the pixels of a plot that are no background
CONTRAST_LEAST = 4.5  # of text on its paper: level AA of the WCAG

# What a page measures of itself.
MEASURE = """(() => {
const box = e => {
	const r = e.getBoundingClientRect();
	return [r.left + scrollX, r.top + scrollY, r.width, r.height];
};
const is_shown = e => e.getClientRects().length > 0;
const svg = document.querySelector(".plot > svg");
let tip = null;
if (svg) {
	const clientX = svg.getBoundingClientRect().left + svg.getBoundingClientRect().width / 2;
	svg.dispatchEvent(new PointerEvent("pointermove", { clientX }));
	tip = svg.parentNode.querySelector(".tip:not([hidden])")?.textContent ?? "";
	svg.dispatchEvent(new PointerEvent("pointerleave"));
}

// Texts of one plot that cover each other.
const covered = [];
const common = (a, b, from, to) => Math.min(a[to], b[to]) - Math.max(a[from], b[from]);
for (const plot of document.querySelectorAll("svg")) {
	const texts = [...plot.querySelectorAll("text")].filter(is_shown);
	const boxes = texts.map(e => e.getBoundingClientRect());
	for (let i = 0; i < texts.length; i++)
		for (let k = 0; k < i; k++)
			if (common(boxes[i], boxes[k], "left", "right") > 1 &&
				common(boxes[i], boxes[k], "top", "bottom") > 4)
				covered.push(texts[k].textContent + " and " + texts[i].textContent);
}

// The contrast of each text with what is behind it, where that is all of one colour.
const colour = text => text.match(/[\\d.]+/g).map(Number);
const light = rgb => rgb.slice(0, 3).map(c => c / 255)
	.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
	.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
const paper = e => {
	for (; e; e = e.parentElement) {
		const rgb = colour(getComputedStyle(e).backgroundColor);
		if (rgb.length < 4 || rgb[3] > 0)
			return rgb;
	}
	return [255, 255, 255];
};
const faint = new Set(), seen = new Set();
for (const e of document.body.querySelectorAll("*")) {
	// Those alike are looked at once.
	const key = [e, e.parentElement, e.parentElement.parentElement]
		.map(e => `${e.tagName} ${e.getAttribute("class")}`).join();
	if (seen.has(key))
		continue;
	const is_text = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
	if (!is_text || !is_shown(e) || e.closest("script, title, desc"))
		continue;
	seen.add(key);
	const style = getComputedStyle(e);
	const ink = colour(e.closest("svg") ? style.fill : style.color);
	const [low, high] = [light(ink), light(paper(e))].sort((a, b) => a - b);
	if ((high + 0.05) / (low + 0.05) < LEAST)
		faint.add(`${e.tagName}.${e.getAttribute("class")} ${ink} on ${paper(e)}`);
}
const shown = [...document.querySelectorAll("svg text")].filter(is_shown);
return {
	width: document.documentElement.clientWidth,
	scroll: document.documentElement.scrollWidth,
	height: document.documentElement.scrollHeight,
	paper: light(colour(getComputedStyle(document.body).backgroundColor)),
	outside: shown.filter(e => { const r = e.getBoundingClientRect();
		return r.left < 0 || r.right > innerWidth; }).map(e => e.textContent),
	plots: [...document.querySelectorAll(".plot > svg")].map(box),
	hollow: [...document.querySelectorAll("path")].filter(e => !e.getAttribute("d"))
		.map(e => e.getAttribute("class")),
	strips: [...document.querySelectorAll("tbody .strip > svg")].map(box),
	covered, tip,
	faint: [...faint],
};
})()""".replace("LEAST", str(CONTRAST_LEAST))

# Names of lines have their colours: without them what is coloured is lines and points.
HIDE_TEXTS = """(() => {
const style = document.createElement("style");
style.textContent = "svg text { visibility: hidden }";
document.head.append(style);
})()"""

# Of each rectangle of a picture: the share that is no background, and the share that is coloured.
COUNT = """(async (data, boxes) => {
const image = new Image();
image.src = "data:image/png;base64," + data;
await image.decode();
const canvas = document.createElement("canvas");
canvas.width = image.width;
canvas.height = image.height;
const context = canvas.getContext("2d", { willReadFrequently: true });
context.drawImage(image, 0, 0);
return boxes.map(box => {
	const pixels = new Uint32Array(context.getImageData(...box).data.buffer);
	const counts = new Map();
	for (const pixel of pixels)
		counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
	let coloured = 0;
	for (const [pixel, count] of counts) {
		const rgb = [pixel & 255, pixel >> 8 & 255, pixel >> 16 & 255];
		if (Math.max(...rgb) - Math.min(...rgb) > 40)
			coloured += count;
	}
	return [1 - Math.max(...counts.values()) / pixels.length, coloured / pixels.length];
});
})"""

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


def look_at_measures(name, page):
    check(page["scroll"] <= page["width"],
          f"{name}: is {page['scroll']} wide in a window of {page['width']}")
    check(not page["outside"], f"{name}: texts outside: {page['outside'][:5]}")
    check(not page["hollow"], f"{name}: paths without a point: {page['hollow'][:5]}")
    check(not page["covered"], f"{name}: texts cover each other: {page['covered'][:5]}")
    check(not page["faint"], f"{name}: texts are faint: {page['faint'][:5]}")
    check(len(page["plots"] + page["strips"]) >= 3, f"{name}: {len(page['plots'])} plots")
    check(page["tip"] and re.search(r"\d (ns|us|ms|s)", page["tip"]),
          f"{name}: shows {page['tip']} at the pointer")


def look_at_picture(name, picture, page, tab):
    boxes = page["plots"] + page["strips"]
    scaled = [[round(SCALE * part) for part in box] for box in boxes]
    empty = [box for box in boxes if box[2] < 1 or box[3] < 1]
    check(not empty, f"{name}: plots of no size: {empty}")
    if empty:
        return
    for box, (ink, coloured) in zip(boxes, tab.ask(f"{COUNT}('{picture}', {scaled})")):
        # A verdict may be grey, a line of a plot may not.
        check(ink > INK_LEAST and (coloured > 0 or box in page["strips"]),
              f"{name}: a plot at {box} has {ink:.4f} ink, {coloured:.4f} coloured")


def look(tab, folder, names, keep):
    taken = []
    for name in names:
        tab.open(f"file://{folder}/{name}.html")
        check(not tab.complaints, f"{name}: the console says {tab.complaints[:3]}")
        for width, scheme in LOOKS:
            title = f"{name}-{width}-{scheme}"
            tab.show(width, 900, scheme=scheme)
            page = tab.ask(MEASURE)
            look_at_measures(title, page)
            check((page["paper"] < 0.1) == (scheme == "dark"),
                  f"{title}: the light of the paper is {page['paper']:.2f}")
            if keep:
                picture = tab.picture(width, page["height"], 1)
                (folder / f"{title}.png").write_bytes(base64.b64decode(picture))
            if name in PICTURED:
                tab.ask(HIDE_TEXTS)
                taken.append((title, tab.picture(width, page["height"], SCALE), page))
    # Not on the pages: their policy forbids them to load a picture.
    tab.open("about:blank")
    for title, picture, page in taken:
        look_at_picture(title, picture, page, tab)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--keep", type=pathlib.Path, help="leave pages, and pictures of all, there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        subprocess.run([options.program, folder], check=True, timeout=60)
        names = sorted(page.stem for page in folder.glob("*.html"))
        for name in names:
            page = folder / f"{name}.html"
            look_at_source(name, page.read_text(encoding="utf-8"))
        program = browser.find()
        if program:
            with browser.Browser(program) as chromium:
                look(chromium.tab(), folder.resolve(), names, options.keep is not None)
    if failures:
        return 1
    if not program:
        print("skipped: there is no chromium")
        return 77
    return 0


if __name__ == "__main__":
    sys.exit(main())
