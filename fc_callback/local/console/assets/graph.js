// Draws the graph of a flow as SVG, beside the list of its steps, which the page already has.
// The list is what the keyboard and screen readers use; the picture follows it. Without script the list is shown alone.
"use strict";

(() => {
  const NS = "http://www.w3.org/2000/svg";
  const SIGNS = { done: "✓", running: "▸", waiting: "‖", failed: "✕", caught: "↷", stopped: "■", "not reached": "○" };
  const MOST_NODES = 600;  // more take too long to lay out, and no picture of them can be read
  const LEAST_SCALE = 0.85; // texts of 10 pixels can be read; a wider picture scrolls
  const ROW = 1400;        // branches that are wider than this together go into rows
  const LINE = 16, PADDING = 10, GAP = 16, HEADER = 44;
  const pen = document.createElement("canvas").getContext("2d");

  function make(name, attributes, parent, text) {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    parent?.append(element);
    return element;
  }

  function widthOf(text, size, weight = 400) {
    pen.font = `${weight} ${size}px system-ui, sans-serif`;
    return pen.measureText(text).width;
  }

  // Cut a text to a width. Names can be very long: never measure more than could fit.
  function cut(text, width, size, weight) {
    const characters = [...text.slice(0, 400)].filter((character) => character >= " ");
    if (text.length <= 400 && widthOf(characters.join(""), size, weight) <= width) return characters.join("");
    let low = 0, high = characters.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (widthOf(`${characters.slice(0, middle).join("")}…`, size, weight) <= width) low = middle;
      else high = middle - 1;
    }
    return `${characters.slice(0, low).join("")}…`;
  }

  class Picture {
    constructor(section, graph) {
      this.section = section;
      this.graph = graph;
      this.byId = new Map(graph.nodes.map((node) => [node.id, node]));
      this.frames = new Map(graph.branches.map((branch) => [branch.id, branch.frame]));
      this.shapes = new Map();  // what is drawn of each node
      this.edges = [];          // and of each edge
      this.links = new Map([...section.querySelectorAll("[data-node]")].map((link) => [link.dataset.node, link]));
    }

    // Layout: each list of steps is laid out alone, and then is one box in the list around it. No edge leaves its list.

    list(frame) {
      const layout = new dagre.graphlib.Graph({ multigraph: true });
      layout.setGraph({ rankdir: "TB", nodesep: 28, ranksep: 30, edgesep: 16 });
      const boxes = new Map();
      for (const node of this.graph.nodes) if (node.frame === frame) boxes.set(node.id, this.box(node));
      if (frame === null) for (const id of ["begin", "finish"]) boxes.set(id, { width: 56, height: 24 });
      for (const [id, box] of boxes) layout.setNode(id, { width: box.width, height: box.height });
      this.graph.edges.forEach((edge, index) => {
        if (edge.kind === "retry" || !boxes.has(edge.source) || !boxes.has(edge.target)) return;
        const label = edge.label ? cut(edge.label, 180, 11) : "";
        const size = label ? { width: widthOf(label, 11) + 12, height: LINE + 2 } : { width: 0, height: 0 };
        layout.setEdge(edge.source, edge.target, { ...size, labelpos: "c", label, index }, String(index));
      });
      dagre.layout(layout);
      const { width, height } = layout.graph();
      return { width, height, boxes, layout };
    }

    box(node) {
      node.retries = this.graph.edges.filter((edge) => edge.kind === "retry" && edge.source === node.id);
      const width = Math.min(Math.max(widthOf(node.name.slice(0, 400), 13, 600) + 40, node.state ? 216 : 160), 264);
      const height = HEADER + LINE * node.retries.length;
      if (!node.isFrame) return { width, height };
      const branches = this.graph.branches.filter((branch) => branch.frame === node.id);
      const lists = branches.length ? branches.map((branch) => ({ ...this.list(branch.id), number: branch.number })) : [this.list(node.id)];
      let x = PADDING, y = height, row = 0, right = 0;
      for (const list of lists) {
        const title = list.number ? LINE + 4 : 0;
        const [w, h] = [list.width + 2 * PADDING, list.height + 2 * PADDING + title];
        if (x > PADDING && x + w > ROW) [x, y, row] = [PADDING, y + row + PADDING, 0];
        Object.assign(list, { x, y, w, h, title });
        x += w + PADDING;
        row = Math.max(row, h);
        right = Math.max(right, x);
      }
      return { width: Math.max(right, width), height: y + row + PADDING, lists };
    }

    // Drawing.

    draw() {
      const list = this.list(null);
      const [width, height] = [list.width + 2 * GAP, list.height + 2 * GAP];
      this.svg = make("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", focusable: "false" });
      this.size = { width, height };
      this.drawList(list, make("g", { transform: `translate(${GAP} ${GAP})` }, this.svg));
      this.update(this.graph);
      return this.svg;
    }

    drawList({ boxes, layout }, group) {
      const above = make("g", {}, group);
      for (const [id, box] of boxes) {
        const { x, y } = layout.node(id);
        const place = make("g", { transform: `translate(${x - box.width / 2} ${y - box.height / 2})` }, group);
        if (this.byId.has(id)) this.drawNode(this.byId.get(id), box, place);
        else {
          make("rect", { class: "terminal", width: box.width, height: box.height, rx: 12 }, place);
          make("text", { class: "terminal", x: box.width / 2, y: 16 }, place, id === "begin" ? "start" : "end");
        }
      }
      for (const name of layout.edges()) this.drawEdge(layout.edge(name), above, group);
    }

    drawNode(node, box, place) {
      place.dataset.picture = node.id;
      make("title", {}, place, [node.name.slice(0, 1000), node.type, ...node.notes].join("\n"));
      make("rect", { class: "body", width: box.width, height: box.height, rx: 8 }, place);
      const room = box.width - 40;
      const sign = make("text", { class: "sign", x: 12, y: 19 }, place);
      make("text", { class: "name", x: 30, y: 19 }, place, cut(node.name, room, 13, 600));
      const told = make("text", { class: "told", x: 30, y: 36 }, place);
      node.retries.forEach((edge, row) =>
        make("text", { class: "retry", x: 30, y: 36 + LINE * (row + 1) }, place, cut(`↻ ${edge.label}`, room, 11)));
      this.shapes.set(node.id, { place, sign, told, room });
      for (const list of box.lists ?? []) {
        const inner = make("g", { transform: `translate(${list.x} ${list.y})` }, place);
        if (list.number) {
          make("rect", { class: "branch", width: list.w, height: list.h, rx: 6 }, inner);
          make("text", { class: "branch", x: PADDING, y: LINE }, inner, `branch ${list.number}`);
        }
        this.drawList(list, make("g", { transform: `translate(${PADDING} ${PADDING + list.title})` }, inner));
      }
    }

    drawEdge({ points, label, index, x, y, width, height }, lines, labels) {
      const edge = make("g", {}, lines);
      const [first, ...rest] = points;
      const end = rest.at(-1), before = rest.at(-2) ?? first;
      let path = `M${first.x} ${first.y}`;
      rest.slice(0, -1).forEach((point, at) => {
        path += `Q${point.x} ${point.y} ${(point.x + rest[at + 1].x) / 2} ${(point.y + rest[at + 1].y) / 2}`;
      });
      make("path", { class: "line", d: `${path}L${end.x} ${end.y}` }, edge);
      const angle = (Math.atan2(end.y - before.y, end.x - before.x) * 180) / Math.PI;
      make("path", { class: "arrow", d: "M0 0L-7 3.5V-3.5Z", transform: `translate(${end.x} ${end.y}) rotate(${angle})` }, edge);
      const shapes = [edge];
      if (label) {
        const told = make("g", { transform: `translate(${x - width / 2} ${y - height / 2})` }, labels);
        make("title", {}, told, this.graph.edges[index].label.slice(0, 1000));
        make("rect", { class: "label", width, height, rx: 3 }, told);
        make("text", { class: "label", x: width / 2, y: 13 }, told, label);
        shapes.push(told);
      }
      this.edges[index] = shapes;
    }

    // States. Nothing is laid out anew.

    update(graph) {
      this.graph = graph;
      this.byId = new Map(graph.nodes.map((node) => [node.id, node]));
      for (const node of graph.nodes) this.showState(node);
      graph.edges.forEach((edge, index) => {
        for (const shape of this.edges[index] ?? []) shape.setAttribute("class", `edge ${edge.kind} ${edge.state ?? ""}`);
      });
      this.select(this.selected);
    }

    showState(node) {
      const { place, sign, told, room } = this.shapes.get(node.id);
      place.setAttribute("class", `node ${node.isFrame ? "frame" : ""} ${(node.state ?? "drawn").replace(" ", "-")}`);
      sign.textContent = SIGNS[node.state] ?? "";
      const attempts = node.attempts > node.runs ? [`${node.attempts} attempts`] : node.runs > 1 && !node.isFrame ? [`${node.runs} runs`] : [];
      const state = node.state === undefined ? node.notes : [node.summary && node.runs ? node.summary : node.state];
      if (node.ageSeconds === undefined) told.textContent = cut([node.type, ...state, ...attempts].join(" · "), room, 11.5);
      else {
        told.textContent = `${node.type} · ${node.state} `;
        make("tspan", { "data-since": node.ageSeconds }, told, span(node.ageSeconds));  // console.js keeps it current
        if (attempts.length) make("tspan", {}, told, ` · ${attempts[0]}`);
      }
      const entry = this.links.get(node.id)?.querySelector(".told");
      if (entry && node.state) entry.replaceChildren(badge(node.state), ` ${node.runs ? node.summary ?? "" : ""}`);
      if (node.items) this.showItems(node);
    }

    // The items of a map; the list stays open or closed as it is.
    showItems(node) {
      const details = this.section.querySelector(`[data-items="${node.id}"]`);
      if (!details) return;
      details.querySelector(".summary").textContent = node.summary;
      const focused = details.contains(document.activeElement) ? document.activeElement.dataset.run : undefined;
      const like = this.links.get(node.id);  // how a link replaces the parts of the page
      const list = details.querySelector("ol");
      list.replaceChildren(...node.items.map((item) => {
        const [row, link, step] = ["li", "a", "bdi"].map((name) => document.createElement(name));
        const address = `${location.pathname}?${new URLSearchParams({ step: item.path, run: item.run })}`;
        for (const name of like.getAttributeNames()) if (name.startsWith("hx-")) link.setAttribute(name, like.getAttribute(name));
        link.setAttribute("hx-get", (link.href = address));
        link.dataset.run = item.run;
        step.textContent = item.step.slice(0, 120);
        link.append(`${item.number} `, badge(item.state), " ", step);
        row.append(link);
        return row;
      }));
      htmx.process(list);
      if (focused) details.querySelector(`[data-run="${focused}"]`)?.focus();
    }

    // The step that the page shows beside the picture.
    chosen() {
      return this.graph.nodes.find((node) => this.links.get(node.id)?.hasAttribute("aria-current"))?.path;
    }

    // Bring the chosen step, or else the start, into the middle of what can be seen of the picture.
    reveal(frame) {
      const node = this.graph.nodes.find((one) => one.path === this.selected);
      const shape = node ? this.shapes.get(node.id).place : this.svg.querySelector(".terminal");
      const [seen, whole] = [shape.getBoundingClientRect(), frame.getBoundingClientRect()];
      frame.scrollLeft += seen.left + seen.width / 2 - whole.left - whole.width / 2;
      if (node) frame.scrollTop += seen.top + seen.height / 2 - whole.top - whole.height / 2;
    }

    select(path) {
      this.selected = path;
      for (const node of this.graph.nodes) {
        const isSelected = node.path === path;
        this.shapes.get(node.id).place.classList.toggle("selected", isSelected);
        const link = this.links.get(node.id);
        if (isSelected) link?.setAttribute("aria-current", "true");
        else link?.removeAttribute("aria-current");
      }
    }

    // Light the way that leads to a step: what was taken, or, to a step that was not reached, what could be.
    light(id, isFocus) {
      for (const element of this.svg.querySelectorAll(".lit, .focus")) element.classList.remove("lit", "focus");
      if (!this.shapes.has(id)) return;
      if (isFocus) this.shapes.get(id).place.classList.add("focus");
      const seen = new Set(), next = [id];
      while (next.length) {
        const one = next.pop();
        if (seen.has(one)) continue;
        seen.add(one);
        this.shapes.get(one)?.place.classList.add("lit");
        const frame = this.byId.get(one)?.frame;
        if (frame) next.push(this.frames.get(frame) ?? frame);
        const ways = [...this.graph.edges.entries()].filter(([, edge]) => edge.target === one && edge.kind !== "retry");
        const taken = ways.filter(([, edge]) => edge.state);
        for (const [index, edge] of taken.length ? taken : ways) {
          for (const shape of this.edges[index] ?? []) shape.classList.add("lit");
          next.push(edge.source);
        }
      }
    }
  }

  function badge(state) {
    const element = document.createElement("span");
    element.className = `state ${state.replace(" ", "-")}`;
    const sign = document.createElement("span");
    sign.setAttribute("aria-hidden", "true");
    sign.textContent = SIGNS[state];
    element.append(sign, ` ${state}`);
    return element;
  }

  function addTools(section, frame, picture) {
    let scale = 0;  // 0 fits the picture into the width
    const resize = () => {
      const fit = Math.min(1, Math.max(LEAST_SCALE, (frame.clientWidth - 2) / picture.size.width));
      picture.svg.setAttribute("width", picture.size.width * (scale || fit));
      picture.svg.setAttribute("height", picture.size.height * (scale || fit));
      return scale || fit;
    };
    const tools = document.createElement("div");
    tools.className = "tools row";
    const zoom = (change) => () => {
      scale = change ? Math.min(2, Math.max(0.3, resize() * change)) : 0;
      resize();
    };
    const toggle = (event) => {
      const isList = section.classList.toggle("as-list");
      event.target.setAttribute("aria-pressed", String(isList));
    };
    for (const [text, label, act] of [["−", "Smaller", zoom(0.8)], ["+", "Larger", zoom(1.25)], ["Fit", "Fit to the width", zoom(0)], ["List", "Show the list", toggle]]) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", textContent: text, ariaLabel: label, title: label, onclick: act });
      tools.append(button);
    }
    tools.lastChild.setAttribute("aria-pressed", "false");
    section.prepend(tools);
    new ResizeObserver(resize).observe(frame);
    resize();
  }

  function listen(section, frame, picture) {
    const links = [...picture.links.values()];
    const rest = (link) => links.forEach((one) => (one.tabIndex = one === link ? 0 : -1));  // one tab stop for all
    rest(links.find((link) => link.hasAttribute("aria-current")) ?? links[0]);
    section.addEventListener("keydown", (event) => {
      const at = links.indexOf(event.target);
      const to = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1, Home: 0, End: links.length - 1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      links[Math.min(Math.max(to, 0), links.length - 1)].focus();
    });
    section.addEventListener("focusin", (event) => {
      if (!event.target.dataset.node) return;
      rest(event.target);
      picture.light(event.target.dataset.node, true);
      picture.shapes.get(event.target.dataset.node).place.scrollIntoView({ block: "nearest", inline: "nearest" });
    });
    section.addEventListener("focusout", () => picture.light());
    frame.addEventListener("pointerover", (event) => picture.light(event.target.closest("[data-picture]")?.dataset.picture));
    frame.addEventListener("pointerleave", () => picture.light());
    frame.addEventListener("click", (event) => {
      const id = event.target.closest("[data-picture]")?.dataset.picture;
      const link = picture.links.get(id);
      if (link?.href) link.click();
      const items = section.querySelector(`[data-items="${id}"]`);
      if (items) items.open = true;
    });
    section.addEventListener("click", (event) => {
      const link = event.target.closest("a[href*='step=']");
      if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) picture.select(new URL(link.href).searchParams.get("step"));
    });
    document.addEventListener("console:changed", async () => {
      const answer = await fetch(`${section.dataset.source}?after=${picture.graph.last ?? 0}`);
      if (answer.status === 200) picture.update(await answer.json());
    });
  }

  async function begin(section) {
    const frame = document.createElement("div");
    frame.className = "picture";
    try {
      const answer = await fetch(section.dataset.source);
      if (!answer.ok) return;  // the list is there
      const graph = await answer.json();
      if (graph.nodes.length > MOST_NODES) {
        frame.className = "empty";
        frame.textContent = `The flow has ${graph.nodes.length} steps, too many for a picture. The list shows them.`;
        section.prepend(frame);
        return;
      }
      const picture = new Picture(section, graph);
      picture.selected = new URLSearchParams(location.search).get("step") ?? picture.chosen();
      frame.append(picture.draw());
      frame.tabIndex = 0;
      frame.setAttribute("role", "group");
      frame.setAttribute("aria-label", "Picture of the steps; the list of steps says the same");
      section.prepend(frame);
      section.classList.add("drawn");
      addTools(section, frame, picture);
      listen(section, frame, picture);
      picture.reveal(frame);
    } catch (error) {
      console.error(error);  // the list is there
    }
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".graph[data-source]").forEach(begin));
})();
