#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the code in the docs the same as in the programs that are built or run.

A code block in Markdown that follows a line `<!-- path -->` shows that file, without its licence
line; after `<!-- path: name ... -->` it shows those functions, structures or tests of it. A block
of C or Python without such a line is a finding. `--fix` writes the blocks anew; without it
differences are findings, and so is such a line without a block. Indented lines after
`<!-- path.out -->` are what an example prints, and must be in that file.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ["README.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))]
BLOCK = re.compile(r"(?:^<!-- (?P<path>[\w./]+)(?:: (?P<names>[\w ]+))? -->\n)?"
                   r"^```(?P<language>c|python)\n(?P<code>.*?)^```$", re.M | re.S)
NAKED = re.compile(r"^<!-- (?P<path>[\w./]+\.(?:c|py))(?:: [\w ]+)? -->\n(?!```)", re.M)
PRINTED = re.compile(r"^<!-- (?P<path>[\w./]+\.out) -->\n\n(?P<lines>(?:    .*\n)+)", re.M)


def definition(source, name):
    """The text of a function, structure or test at file level, and the comment right above it."""
    start = re.search(rf"^(?:struct {name} \{{|[\w *]+\b{name}\([^;]*?\)\n\{{|"
                      rf"SOON_(?:TEST\w*\(\w+|FAKE\(\w+), {name}\b[^;]*?\)\n\{{|"
                      rf"SOON_(?:GEN|BENCH)\({name}\b[^;]*?\)\n\{{)", source, re.M)
    if not start:
        return None
    end = re.search(r"^\}.*\n", source[start.start():], re.M)
    comment = re.search(r"(?:^/\*(?:(?!\*/).)*\*/\n)\Z", source[: start.start()], re.M | re.S)
    begin = comment.start() if comment else start.start()
    return source[begin : start.start() + end.end()]


def python_definition(source, name):
    found = re.search(rf"^(?:async )?(?:def|class) {name}\b.*\n(?:(?:[ \t].*)?\n)*", source, re.M)
    return found[0].rstrip("\n") + "\n" if found else None


def shown(path, names):
    source = (ROOT / path).read_text()
    if not names:
        return source.split("\n", 1)[1].lstrip("\n")
    parts = []
    for name in names.split():
        text = (python_definition if path.endswith(".py") else definition)(source, name)
        if text is None:
            raise ValueError(f"{path} has no definition of {name}")
        parts.append(text)
    return "\n".join(parts)


def main():
    fix = "--fix" in sys.argv[1:]
    findings = []
    for doc in DOCS:
        text = (ROOT / doc).read_text()

        def check(match, doc=doc, text=text):
            line = text[: match.start()].count("\n") + 1
            if not match["path"]:
                findings.append(f"{doc}:{line}: a block of code that names no file")
                return match[0]
            try:
                code = shown(match["path"], match["names"])
            except (OSError, ValueError) as error:
                findings.append(f"{doc}:{line}: {error}")
                return match[0]
            if code != match["code"] and not fix:
                findings.append(f"{doc}:{line}: differs from {match['path']}: run ./dev fmt")
            names = f": {match['names']}" if match["names"] else ""
            return f"<!-- {match['path']}{names} -->\n```{match['language']}\n{code}```"

        for match in NAKED.finditer(text):
            line = text[: match.start()].count("\n") + 1
            findings.append(f"{doc}:{line}: no block of code follows for {match['path']}")
        for match in PRINTED.finditer(text):
            printed = (ROOT / match["path"]).read_text()
            for said in match["lines"].splitlines():
                if said.strip() not in printed:
                    findings.append(f"{doc}: not in {match['path']}: {said.strip()}")
        new = BLOCK.sub(check, text)
        if fix and new != text:
            (ROOT / doc).write_text(new)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
