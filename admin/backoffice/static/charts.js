// Draws the charts of a page again with new figures, as the server drew them first.
const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 100;
const PATTERNED = new Set([1, 3, 5]);

const ceiling = (value) => {
  if (value <= 1) return 1;
  const power = 10 ** (String(Math.floor(value)).length - 1);
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((top) => top >= value);
};

const made = (name, attributes) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

const frame = (figure, width, top, labels, shown) => {
  figure.querySelector(":scope > svg").setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  figure.querySelector(".grid").setAttribute("d", `M0 0H${width}M0 50H${width}M0 100H${width}`);
  const heights = [top, top % 2 ? null : top / 2, 0];
  figure.querySelectorAll(".chart-y span").forEach((span, place) => {
    span.textContent = heights[place] === null ? "" : shown(heights[place]);
  });
  const last = labels.length - 1;
  const places = [...new Set([0, 1, 2, 3].map((each) => Math.round((last * each) / 3)))];
  figure.querySelector(".chart-x").replaceChildren(...places.map((place) => {
    const span = document.createElement("span");
    span.textContent = labels[place];
    return span;
  }));
};

export function columns(figure, series, labels, shown) {
  const top = ceiling(Math.max(0, ...labels.map((_, place) => series.reduce((sum, each) => sum + each[place], 0))));
  frame(figure, labels.length, top, labels, shown);
  const bars = [];
  labels.forEach((_, place) => {
    let below = 0;
    series.forEach((each, index) => {
      const height = (HEIGHT * each[place]) / top;
      if (!height) return;
      const look = PATTERNED.has(index) ? { fill: `url(#${figure.dataset.chart}-${index})` } : { class: `c${index}` };
      bars.push(made("rect", { x: place + 0.05, y: HEIGHT - below - height, width: 0.9, height, ...look }));
      below += height;
    });
  });
  figure.querySelector("svg > g").replaceChildren(...bars);
  figure.querySelectorAll("[data-series]").forEach((key) => {
    key.textContent = shown(series[key.dataset.series].at(-1));
  });
}

export function steps(figure, values, labels, shown) {
  const top = ceiling(Math.max(0, ...values));
  frame(figure, values.length, top, labels, shown);
  const heights = values.map((value) => HEIGHT - (HEIGHT * value) / top);
  const path = `M0 ${heights[0]}` + heights.map((y, place) => `V${y}H${place + 1}`).join("");
  figure.querySelector("svg > g").replaceChildren(
    made("path", { class: "area", d: `${path}V${HEIGHT}H0Z` }), made("path", { class: "line", d: path }),
  );
}

export const bar = (svg, part, whole) =>
  svg.querySelector(":not(.track)").setAttribute("width", whole > 0 ? Math.min(Math.max(part / whole, 0), 1) * 100 : 0);
