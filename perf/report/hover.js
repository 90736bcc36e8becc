// Shows the row of the table below a plot that is nearest to the pointer, or that the arrow keys
// went to. The plots say the same without it.
"use strict";
for (const figure of document.querySelectorAll("figure")) {
	const svg = figure.querySelector(".plot > svg");
	const table = figure.querySelector("table.values");
	if (!svg || !table)
		continue;
	const heads = [...table.tHead.rows[0].cells].map(cell => cell.textContent);
	const rows = [...table.tBodies[0].rows].map(row => ({
		x: Number(row.dataset.x),
		cells: [...row.cells].map(cell => cell.textContent),
	}));
	const tip = document.createElement("div");
	const cursor = document.createElementNS(svg.namespaceURI, "line");
	let shown = -1;

	// The browser's own box with the title would cover ours.
	svg.setAttribute("aria-label", svg.querySelector("title").textContent);
	svg.setAttribute("aria-describedby", svg.querySelector("desc").id);
	svg.removeAttribute("aria-labelledby");
	svg.querySelector("title").remove();
	svg.tabIndex = 0;
	tip.className = "tip";
	tip.hidden = true;
	tip.setAttribute("role", "status");
	cursor.setAttribute("class", "cursor");
	cursor.setAttribute("y1", "0");
	cursor.setAttribute("y2", "100%");
	svg.parentNode.append(tip);

	const hide = () => {
		tip.hidden = true;
		cursor.remove();
		shown = -1;
	};
	const show = index => {
		const row = rows[index];
		if (index === shown)
			return;
		shown = index;
		const name = document.createElement("b");
		name.textContent = heads[0] + " " + row.cells[0];
		tip.replaceChildren(name);
		for (let i = 1; i < heads.length; i++) {
			const line = document.createElement("div");
			for (const text of [heads[i], row.cells[i]]) {
				const part = document.createElement("span");
				part.textContent = text;
				line.append(part);
			}
			tip.append(line);
		}
		cursor.setAttribute("x1", 100 * row.x + "%");
		cursor.setAttribute("x2", 100 * row.x + "%");
		svg.append(cursor);
		tip.hidden = false;
		const width = svg.getBoundingClientRect().width;
		const at = row.x * width;
		const left = row.x > 0.5 ? at - tip.offsetWidth - 12 : at + 12;
		tip.style.left = Math.max(0, Math.min(left, width - tip.offsetWidth)) + "px";
	};
	const nearest = x => rows.reduce((best, row, i) =>
		Math.abs(row.x - x) < Math.abs(rows[best].x - x) ? i : best, 0);

	svg.addEventListener("pointermove", event => {
		const box = svg.getBoundingClientRect();
		if (rows.length > 0 && box.width > 0)
			show(nearest((event.clientX - box.left) / box.width));
	});
	svg.addEventListener("pointerleave", hide);
	svg.addEventListener("blur", hide);
	svg.addEventListener("keydown", event => {
		const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
		if (event.key === "Escape")
			hide();
		if (!step || rows.length === 0)
			return;
		event.preventDefault();
		show(Math.max(0, Math.min(rows.length - 1, shown < 0 ? 0 : shown + step)));
	});
}
