/* The versions of the site, in the sidebar. versions.json stands above the folders of the versions (docs/build_site.py
   writes it). Without it, and in a file that is opened without a server, the page shows its own version only. */
"use strict";

(() => {
  const shown = document.querySelector(".site-version");
  if (!shown || location.protocol === "file:") return;
  const root = new URL(`${document.documentElement.dataset.content_root}../`, location.href);
  const address = (version, page) => new URL(`${encodeURIComponent(version)}/${page}`, root);

  // The same page in another version; its front page, where it has no such page.
  async function open(event) {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a new tab or window
    event.preventDefault();
    const front = event.currentTarget.href;
    const page = address(event.currentTarget.textContent, shown.dataset.page);
    const exists = await fetch(page, { method: "HEAD" }).then((answer) => answer.ok, () => false);
    location.assign(exists ? page.href + location.search + location.hash : front);
  }

  function entry(version) {
    const link = document.createElement("a");
    link.href = address(version, "index.html");
    link.textContent = version;
    if (version === shown.dataset.version) link.setAttribute("aria-current", "true");
    else link.addEventListener("click", open);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }

  function show(versions) {
    const list = document.createElement("ul");
    list.append(...versions.map(entry));
    const summary = document.createElement("summary");
    summary.textContent = shown.textContent;
    const details = document.createElement("details");
    details.className = "site-versions";
    details.append(summary, list);
    shown.replaceWith(details);
  }

  fetch(new URL("versions.json", root))
    .then((answer) => (answer.ok ? answer.json() : []))
    .then((versions) => versions.length && show(versions))
    .catch(() => {}); // no list: the version stays as it is
})();
