// Draws the report from the JSON that the page carries. All text goes in as text nodes, never as markup.
"use strict";

const element = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") Object.assign(node.style, value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
};
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const palette = ["#4e79a7", "#f28e2b", "#e15759", "#59a14f", "#b07aa1", "#76b7b2", "#d4b21f", "#ff9da7", "#9c755f", "#7f8c9a"];
// Past ten classes: hues a golden angle apart, so that neighbours differ.
const class_colour = (i) => (i < 0 ? "#9aa3ad" : i < palette.length ? palette[i] : `hsl(${(i * 137.508) % 360} 55% ${45 + 10 * (i % 3)}%)`);
const digits = (v) => {
  if (v === null || v === undefined) return "–";
  if (typeof v !== "number") return String(v);
  if (Number.isInteger(v)) return Math.abs(v) >= 1e15 ? v.toExponential(3) : v.toLocaleString("en-US");
  const size = Math.abs(v);
  return size >= 1e5 || size < 1e-3 ? v.toExponential(2) : String(Number(v.toPrecision(4)));
};
const save = (name, type, text) => {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};
const csv = (rows) =>
  rows.map((r) => r.map((v) => (/[",\n]/.test(String(v ?? "")) ? `"${String(v).replaceAll('"', '""')}"` : (v ?? ""))).join(",")).join("\n") + "\n";

// A picture no smaller than `wish` pixels; small ones are enlarged by whole factors and stay sharp.
const picture = (image, wish, pixelated = true) => {
  const factor = image.w < wish ? Math.max(1, Math.round(wish / image.w)) : 1;
  const w = Math.min(image.w * factor, 480);
  return element("img", {
    src: image.src, width: w, height: Math.round((image.h * w) / image.w), alt: image.caption ?? "",
    class: pixelated && factor > 1 ? "pixelated" : undefined,
  });
};

const draw = {
  note: (item) => element("p", { class: item.warning ? "note warning" : "note" }, item.warning ? "⚠ " + item.text : item.text),

  attribution: (item) => {
    const input = picture(item.input, 224);
    const overlay = picture(item.map, 224);
    for (const side of ["width", "height"]) overlay.setAttribute(side, input[side]);
    overlay.style.opacity = 0.5;
    const raw = overlay.cloneNode();
    raw.style.opacity = 1;
    const slider = element("input", {
      type: "range", min: 0, max: 100, value: 50, "aria-label": "opacity of the map", oninput: (e) => (overlay.style.opacity = e.target.value / 100),
    });
    const bar = element("div", { class: "bar", style: { background: `linear-gradient(to right, ${item.stops.join(", ")})`, width: raw.width + "px" } });
    const ends = element("div", { style: { width: raw.width + "px" } },
      element("span", {}, digits(item.low)), element("span", {}, item.units), element("span", {}, digits(item.high)));
    const largest = Math.max(...item.top.map((t) => t[1]), 1e-12);
    return [
      item.warning ? draw.note({ text: item.warning, warning: true }) : null,
      element("div", { class: "attribution" },
        element("figure", {}, input.cloneNode(), element("figcaption", {}, "input")),
        element("figure", {}, element("div", { class: "stack" }, input, overlay), element("label", {}, "map", slider)),
        element("figure", {}, raw, bar, ends),
        element("div", { class: "top" },
          element("div", {}, `${item.method} · ${item.target}`),
          element("div", { class: "soft" }, `score ${digits(item.score)}`),
          ...item.top.map(([name, p]) =>
            element("div", { class: "row" }, element("span", { title: name }, name),
              element("span", {}, element("i", { style: { width: (100 * Math.max(p, 0)) / Math.max(largest, 1) + "%" } })), element("span", {}, digits(p))))))];
  },

  grid: (item) => {
    const wish = item.images.length > 100 ? 48 : item.images.length > 30 ? 72 : item.images.length > 4 ? 112 : 224;
    const fixed = item.columns > 0 ? { gridTemplateColumns: `repeat(${item.columns}, max-content)` } : {};
    return element("div", { class: "scroll" }, element("div", { class: item.columns > 0 ? "grid fixed" : "grid", style: fixed },
      ...item.images.map((image) => {
        const img = picture(image, wish, item.pixelated);
        return element("figure", { style: { maxWidth: Math.max(img.width, 64) + "px" } }, img,
          image.caption ? element("figcaption", {}, image.caption) : null);
      })));
  },

  table: (item) => {
    const numeric = item.columns.map((_, c) => item.rows.length > 0 && item.rows.every((r) => r[c] === null || typeof r[c] === "number"));
    const body = element("tbody");
    const fill = (rows) => body.replaceChildren(...rows.map((r) =>
      element("tr", {}, ...r.map((v, c) => element("td", { class: numeric[c] ? "number" : String(v).length > 60 ? "long" : undefined }, digits(v))))));
    fill(item.rows);
    let by = -1, sign = 1;
    const sort = (c) => {
      sign = by === c ? -sign : 1;
      by = c;
      fill([...item.rows].sort((a, b) => sign * (numeric[c] ? (a[c] ?? 0) - (b[c] ?? 0) : String(a[c]).localeCompare(String(b[c])))));
    };
    const head = item.columns.map((name, c) =>
      element("th", { class: numeric[c] ? "number" : undefined, title: "sort", onclick: () => sort(c) }, name));
    return element("div", { class: "scroll table" }, element("table", {}, element("thead", {}, element("tr", {}, ...head)), body));
  },

  curves: (item) => {
    const canvas = element("canvas");
    const box = element("div", { class: "chart" }, canvas);
    const axis = (text) => ({
      type: "linear", title: { display: text !== "", text, color: colour("--soft") }, grid: { color: colour("--line") }, ticks: { color: colour("--soft") },
    });
    // After the box is in the page: Chart.js measures its parent.
    queueMicrotask(() => new Chart(canvas, {
      type: "line",
      data: {
        datasets: item.series.map((s, i) => ({
          label: s.name, data: s.x.map((x, k) => ({ x, y: s.y[k] })), borderColor: class_colour(i), backgroundColor: class_colour(i),
          borderWidth: 2, pointRadius: s.x.length > 60 ? 0 : 2.5, tension: 0,
        })),
      },
      options: {
        animation: false, maintainAspectRatio: false, interaction: { mode: "nearest", axis: "x", intersect: false },
        scales: { x: axis(item.x_label), y: axis(item.y_label) }, plugins: { legend: { labels: { color: colour("--ink"), boxWidth: 14 } } },
      },
    }));
    return box;
  },

  bars: (item) => {
    const canvas = element("canvas");
    const box = element("div", { class: "chart", style: { height: `${4 + 2 * item.names.length}rem` } }, canvas);
    const ticks = { color: colour("--soft") };
    queueMicrotask(() => new Chart(canvas, {
      type: "bar",
      data: { labels: item.names, datasets: [{ data: item.values, backgroundColor: item.names.map((_, i) => class_colour(i)), maxBarThickness: 26 }] },
      options: {
        indexAxis: "y", animation: false, maintainAspectRatio: false, plugins: { legend: { display: false } },
        scales: {
          x: { beginAtZero: true, title: { display: item.units !== "", text: item.units, color: colour("--soft") }, grid: { color: colour("--line") }, ticks },
          y: { grid: { display: false }, ticks: { ...ticks, autoSkip: false } },
        },
      },
    }));
    return box;
  },

  matrix: (item) => {
    const columns = item.columns.length;
    const largest = Math.max(...item.values.map(Math.abs), 1e-30);
    // Mixed with the paper's own colour, so that zero is plain in both palettes; the square root shows small counts too.
    const shade = (v) => `color-mix(in srgb, ${v < 0 ? "#b2182b" : "#2463a8"} ${Math.round(85 * Math.sqrt(Math.abs(v) / largest))}%, transparent)`;
    const row = (name, r) => element("tr", {}, element("th", {}, name), ...item.columns.map((c, k) => {
      const v = item.values[r * columns + k];
      return element("td", {
        title: `${item.row_label} ${name}, ${item.column_label} ${c}: ${digits(v)}`,
        style: { background: v ? shade(v) : "", color: Math.sqrt(Math.abs(v) / largest) > 0.6 ? "#fff" : "" },
      }, columns > 40 ? "" : v === 0 ? "·" : digits(v));
    }));
    return [
      element("div", { class: "soft" }, `rows: ${item.row_label}; columns: ${item.column_label}`),
      element("div", { class: "scroll matrix" }, element("table", {},
        element("thead", {}, element("tr", {}, element("th"), ...item.columns.map((c) => element("th", {}, c)))),
        element("tbody", {}, ...item.rows.map(row))))];
  },

  scatter: (item) => draw_scatter(item),
};

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const page = document.getElementById("page"), contents = document.getElementById("contents");
  contents.append(element("div", { class: "brand" }, "Ocellus"));
  page.append(element("h1", {}, data.title), element("div", { class: "card" }, element("dl", { class: "header" },
    ...data.header.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]))));
  data.sections.forEach((section, i) => {
    const id = `section-${i + 1}`;
    contents.append(element("a", { href: "#" + id }, section.title));
    page.append(element("h2", { id }, section.title));
    for (const item of section.items) {
      const drawn = [draw[item.type](item)].flat();
      if (item.type === "note") page.append(...drawn);
      else page.append(element("div", { class: "card" }, item.title ? element("h3", {}, item.title) : null, ...drawn.filter((d) => d)));
    }
  });
})();
