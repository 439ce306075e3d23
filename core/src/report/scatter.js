// A scatter plot on a canvas: the image under the pointer, colours by label, prediction or error, a lasso that lists what it
// catches, wheel to zoom, double click to see all, export as CSV.
"use strict";

const draw_scatter = (item) => {
  const n = item.x.length;
  const canvas = element("canvas"), tip = element("div", { class: "tip", hidden: "" });
  const plot = element("div", { class: "plot" }, canvas, tip);
  const legend = element("div", { class: "legend" }), chosen = element("div", { class: "chosen" });
  const has_labels = item.labels.length === n, has_predictions = item.predictions.length === n;
  const modes = [has_labels && "label", has_predictions && "prediction", has_labels && has_predictions && "error"].filter((m) => m);
  const by = element("select", { "aria-label": "colour by", onchange: () => { show_legend(); paint(); } },
    ...modes.map((m) => element("option", { value: m }, m)));
  const class_name = (i) => item.classes[i] ?? `class ${i}`;
  const point_colour = (i) => {
    if (by.value === "error") return item.labels[i] === item.predictions[i] ? "#8fa3b8" : "#d62728";
    return class_colour(by.value === "label" ? item.labels[i] : by.value === "prediction" ? item.predictions[i] : 0);
  };
  const about = (i) => [
    item.names[i] ?? `point ${i}`,
    has_labels ? `label: ${class_name(item.labels[i])}` : null,
    has_predictions ? `prediction: ${class_name(item.predictions[i])}` : null,
  ].filter((t) => t).join("\n");

  // The sprite holds all thumbnails, row by row.
  const thumbnail = (i, size) => {
    const s = item.sprite;
    if (!s) return null;
    const factor = size / Math.max(s.w, s.h);
    return element("div", {
      style: {
        width: s.w * factor + "px", height: s.h * factor + "px", backgroundImage: `url(${s.src})`, imageRendering: "pixelated",
        backgroundSize: s.w * s.columns * factor + "px auto",
        backgroundPosition: `${-(i % s.columns) * s.w * factor}px ${-Math.floor(i / s.columns) * s.h * factor}px`,
      },
    });
  };

  const bounds = () => {
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < n; i++) [item.x[i], item.y[i]].forEach((v, a) => { low[a] = Math.min(low[a], v); high[a] = Math.max(high[a], v); });
    return { low, high };
  };
  const all = bounds();
  const view = {};
  const reset = () => {
    view.x = (all.low[0] + all.high[0]) / 2;
    view.y = (all.low[1] + all.high[1]) / 2;
    view.zoom = 1;
  };
  reset();
  const unit = () => view.zoom * 0.94 * Math.min(canvas.clientWidth / (all.high[0] - all.low[0] || 1), canvas.clientHeight / (all.high[1] - all.low[1] || 1));
  const to_screen = (i) => [canvas.clientWidth / 2 + (item.x[i] - view.x) * unit(), canvas.clientHeight / 2 - (item.y[i] - view.y) * unit()];

  let lasso = [], caught = new Set();
  const paint = () => {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const radius = Math.max(1.4, Math.min(4, 90 / Math.sqrt(n))) * Math.min(2, Math.sqrt(view.zoom));
    const order = [...Array(n).keys()];
    if (by.value === "error") order.sort((a, b) => (item.labels[a] !== item.predictions[a]) - (item.labels[b] !== item.predictions[b]));
    for (const i of order) {
      const [x, y] = to_screen(i);
      c.globalAlpha = caught.size && !caught.has(i) ? 0.15 : 0.85;
      c.fillStyle = point_colour(i);
      c.beginPath();
      c.arc(x, y, radius, 0, 2 * Math.PI);
      c.fill();
    }
    c.globalAlpha = 1;
    if (lasso.length > 1) {
      c.strokeStyle = colour("--accent");
      c.beginPath();
      lasso.forEach(([x, y], k) => (k ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.closePath();
      c.stroke();
    }
  };
  const show_legend = () => {
    const entry = (fill, text) => element("div", {}, element("i", { style: { background: fill } }), text);
    if (by.value === "error") return legend.replaceChildren(entry("#8fa3b8", "right"), entry("#d62728", "wrong"));
    if (!modes.length) return legend.replaceChildren();
    const used = [...new Set(by.value === "label" ? item.labels : item.predictions)].sort((a, b) => a - b).slice(0, 60);
    legend.replaceChildren(...used.map((i) => entry(class_colour(i), class_name(i))));
  };
  const inside = ([x, y], polygon) => {
    let odd = false;
    for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
      const [xi, yi] = polygon[i], [xj, yj] = polygon[j];
      if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
    }
    return odd;
  };
  const show_caught = () => {
    const shown = [...caught].slice(0, 400);
    chosen.replaceChildren(...shown.map((i) => {
      const node = thumbnail(i, 36) ?? element("span", { class: "name" }, item.names[i] ?? String(i));
      node.title = about(i);
      return node;
    }), caught.size > shown.length ? element("span", { class: "soft" }, `and ${caught.size - shown.length} more`) : "");
    count.textContent = caught.size ? `${caught.size} chosen` : `${n.toLocaleString("en-US")} points; draw round some to list them`;
  };
  const at = (e) => {
    const box = canvas.getBoundingClientRect();
    return [e.clientX - box.left, e.clientY - box.top];
  };
  const hover = (e) => {
    const [mx, my] = at(e);
    let best = -1, nearest = 100;
    for (let i = 0; i < n; i++) {
      const [x, y] = to_screen(i), d = (x - mx) ** 2 + (y - my) ** 2;
      if (d < nearest) [best, nearest] = [i, d];
    }
    tip.hidden = best < 0;
    if (best < 0) return;
    tip.replaceChildren(...[thumbnail(best, 84), about(best)].filter((t) => t));
    tip.style.left = Math.min(mx + 14, canvas.clientWidth - 150) + "px";
    tip.style.top = Math.max(0, Math.min(my + 14, canvas.clientHeight - 130)) + "px";
  };
  canvas.addEventListener("pointerdown", (e) => { lasso = [at(e)]; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    if (!lasso.length) return hover(e);
    lasso.push(at(e));
    paint();
  });
  canvas.addEventListener("pointerup", () => {
    caught = new Set();
    if (lasso.length > 4) for (let i = 0; i < n; i++) if (inside(to_screen(i), lasso)) caught.add(i);
    lasso = [];
    show_caught();
    paint();
  });
  canvas.addEventListener("pointerleave", () => (tip.hidden = true));
  canvas.addEventListener("dblclick", () => { reset(); paint(); });
  canvas.addEventListener("wheel", (e) => {
    e.preventDefault();
    const [mx, my] = at(e), before = unit();
    const px = view.x + (mx - canvas.clientWidth / 2) / before, py = view.y - (my - canvas.clientHeight / 2) / before;
    view.zoom = Math.min(200, Math.max(0.5, view.zoom * Math.exp(-e.deltaY / 400)));
    view.x = px - (mx - canvas.clientWidth / 2) / unit();
    view.y = py + (my - canvas.clientHeight / 2) / unit();
    paint();
  }, { passive: false });

  const rows = () => (caught.size ? [...caught] : [...Array(n).keys()]).map((i) => [
    i, item.x[i], item.y[i], ...(has_labels ? [class_name(item.labels[i])] : []), ...(has_predictions ? [class_name(item.predictions[i])] : []), item.names[i] ?? ""]);
  const head = ["index", "x", "y", ...(has_labels ? ["label"] : []), ...(has_predictions ? ["prediction"] : []), "name"];
  const count = element("span", { class: "soft" });
  new ResizeObserver(paint).observe(plot);
  show_legend();
  show_caught();
  return [
    element("div", { class: "tools" }, modes.length ? element("label", {}, "colour by ", by) : null,
      element("button", { onclick: () => save("points.csv", "text/csv", csv([head, ...rows()])) }, "CSV"),
      element("button", { onclick: () => { caught = new Set(); reset(); show_caught(); paint(); } }, "reset"), count),
    element("div", { class: "scatter" }, plot, legend), chosen];
};
