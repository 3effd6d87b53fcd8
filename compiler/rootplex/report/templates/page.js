"use strict";
const root = document.documentElement, $ = (id) => document.getElementById(id);
const rows = [...document.querySelectorAll(".tree li")];
const words = rows.map((li) => (li.querySelector(".f").textContent).toLowerCase());

function theme(name) {
  root.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
}
theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
$("theme").addEventListener("click", () => theme(root.dataset.theme === "dark" ? "light" : "dark"));

$("fold").addEventListener("click", () => {
  const open = $("fold").textContent !== "Fold all";
  for (const each of document.querySelectorAll(".tree details")) each.open = open;
  $("fold").textContent = open ? "Fold all" : "Unfold all";
});

/* A row is shown where it has the words, and where something below it has. */
$("search").addEventListener("input", () => {
  const wanted = $("search").value.trim().toLowerCase();
  const shown = new Set();
  let count = 0;
  rows.forEach((li, i) => {
    if (wanted && !words[i].includes(wanted)) return;
    count += 1;
    for (let at = li; at && !shown.has(at); at = at.parentElement.closest(".tree li")) shown.add(at);
  });
  for (const li of rows) li.classList.toggle("hidden", !shown.has(li));
  if (wanted) for (const li of shown) { const inside = li.querySelector(":scope > details"); if (inside) inside.open = true; }
  $("found").textContent = wanted ? `${count} of ${rows.length}` : "";
});

/* One rule lights a whole group up. */
function light(target) {
  const at = target instanceof Element ? target.closest("[data-g]") : null;
  const group = at ? at.dataset.g : "";
  $("lit").textContent = group && !group.endsWith(".-")
    ? `li[data-g="${group}"]>.f,li[data-g="${group}"]>details>.f{outline:3px solid var(--accent);outline-offset:1px}` : "";
}
addEventListener("mouseover", (event) => light(event.target));
addEventListener("focusin", (event) => light(event.target));

addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== $("search")) { event.preventDefault(); $("search").focus(); return; }
  if (event.key === "Escape" && event.target === $("search")) {
    $("search").value = ""; $("search").dispatchEvent(new Event("input")); return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.classList || !event.target.classList.contains("f")) return;
  const visible = [...document.querySelectorAll(".tree .f")].filter((each) => each.offsetParent);
  const next = visible[visible.indexOf(event.target) + step];
  if (next) { event.preventDefault(); next.focus(); }
});

/* A link into folded rows opens them; so does printing, but for what would fill many pages. */
function reveal() {
  const at = location.hash.length > 1 ? $(decodeURIComponent(location.hash.slice(1))) : null;
  for (let each = at; each; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
  if (at) at.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", reveal);
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open], .long)")];
  for (const each of closed) each.open = true;
});
addEventListener("afterprint", () => { for (const each of closed) each.open = false; });
reveal();
