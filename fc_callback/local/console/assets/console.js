// What the console's pages do beside showing HTML: send changes as JSON, keep ages current, switch the theme.
"use strict";

const message = document.getElementById("message");

function say(text) {
  message.textContent = text;
  message.hidden = false;
  message.scrollIntoView({ block: "nearest" });
}

// Forms: each kind makes its JSON body from its fields. What cannot be sent throws an Error with the text for the person.

const BODIES = {
  output: (fields) => ({ output: jsonObject(fields.output.value) }),
  failure: (fields) => ({ error: fields.error.value.trim(), cause: fields.cause.value }),
  start: (fields) => ({ input: jsonObject(fields.input.value), name: fields.name.value.trim() }),
  rerun: (fields) => (fields.input.value === fields.input.defaultValue ? {} : { input: jsonObject(fields.input.value) }),
  clock: (fields) => ({ seconds: Number(fields.seconds.value) }),
  skip: () => ({ skip: true }),
  fault: (fields) => ({
    kind: fields.kind.value,
    action: fields.action.value.trim(),
    times: fields.times.value ? Number(fields.times.value) : null,
    ...(["slow", "dead", "skew", "throttle"].includes(fields.kind.value) && { seconds: Number(fields.seconds.value) }),
  }),
};

function jsonObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error.message}`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new Error("This must be a JSON object, like {}.");
  return value;
}

// Say how large a text is, or what is wrong with it, while a person types.
function check(field) {
  const told = field.form.querySelector(".check");
  if (!told || !(field.dataset.limit || "json" in field.dataset)) return;
  const limit = Number(field.dataset.limit);
  let size = field.value.length, unit = "characters", wrong = "";
  if ("json" in field.dataset) {
    try {
      const compact = JSON.stringify(jsonObject(field.value));
      size = new TextEncoder().encode(compact).length;
      unit = "bytes";
    } catch (error) {
      wrong = error.message;
    }
  }
  if (!wrong && size > limit) wrong = `Too long: ${size.toLocaleString("en")} of ${limit.toLocaleString("en")} ${unit}.`;
  told.textContent = wrong || `${size.toLocaleString("en")} of ${limit.toLocaleString("en")} ${unit}`;
  told.classList.toggle("wrong", Boolean(wrong));
  field.setAttribute("aria-invalid", String(Boolean(wrong)));
}

async function send(form) {
  let body;
  try {
    body = (BODIES[form.dataset.kind] || (() => ({})))(form.elements);
  } catch (error) {
    say(error.message);
    form.querySelector("[data-json]")?.focus();
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.send, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const result = await answer.json();
    if (!answer.ok && !result.location) {
      say(result.error);
      return;
    }
    if (!answer.ok) sessionStorage.setItem("said", result.error);  // the next page says it: the task has ended meanwhile
    if (new URL(result.location, location.href).pathname === location.pathname) location.reload();
    else location.assign(result.location);
  } catch {
    say("The local CloudFlow does not answer. Start it again with `fc-callback local`, then reload this page.");
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("submit", (event) => {
  if (!event.target.dataset.send) return;
  event.preventDefault();
  send(event.target);
});
document.addEventListener("input", (event) => check(event.target));
document.addEventListener("toggle", (event) => {
  if (!event.target.open) return;
  const field = event.target.querySelector("form [data-limit]");
  if (!field || !event.target.closest(".completion")) return;
  event.target.parentElement.querySelectorAll("details[open]").forEach((other) => (other.open = other === event.target));
  field.focus();
  check(field);
}, true);

// Live: ages grow by themselves; the page asks for news only while it can be seen.

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function span(seconds) {
  const parts = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [size, unit] of UNITS) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return parts.slice(0, 2).join(" ") || "0 s";
}

function relative(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [];
  return unit ? `${Math.floor(seconds / size)} ${unit} ago` : "now";
}

const began = new WeakMap();  // when an element's number of seconds was true, by this machine's clock

function tick() {
  const now = Date.now() / 1000;
  for (const element of document.querySelectorAll("[data-since], [data-left], [data-ago]")) {
    if (!began.has(element)) began.set(element, now);
    const passed = now - began.get(element);
    const { since, left, ago } = element.dataset;
    if (ago === undefined) element.textContent = span(since !== undefined ? Number(since) + passed : Number(left) - passed);
    else if (ago && Number(ago) >= 0) element.textContent = relative(Number(ago) + passed);
  }
  for (const bar of document.querySelectorAll("progress[max]")) {
    if (!began.has(bar)) began.set(bar, now - bar.value);
    bar.value = now - began.get(bar);
  }
}

setInterval(() => document.hidden || tick(), 1000);
document.addEventListener("htmx:confirm", (event) => document.hidden && event.preventDefault());
document.addEventListener("htmx:sendError", () => say("The local CloudFlow does not answer. Start it again with `fc-callback local`."));

// The theme: the system's, until a person chooses.

const theme = document.getElementById("theme");
function showTheme() {
  theme.textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark";
}
theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", document.documentElement.dataset.theme);
  showTheme();
});
showTheme();
if (sessionStorage.getItem("said")) say(sessionStorage.getItem("said"));
sessionStorage.removeItem("said");
document.querySelectorAll("form[data-send] [data-limit]").forEach(check);
document.documentElement.classList.remove("loading");

// The page of an execution: the picture asks for its states when something is newer.

document.addEventListener("htmx:afterSettle", (event) => {
  if (event.target.id === "live") document.dispatchEvent(new CustomEvent("console:changed"));
});
