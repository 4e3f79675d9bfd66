// The wall: all cameras, over one connection, pictures only for the tiles that can be seen.

import { Stream } from "./stream.js";
import { Tile, setText, showBanner, showLink, showShedding, widthFor } from "./tile.js";

const wall = document.getElementById("wall");
const empty = document.getElementById("empty");
const totals = document.getElementById("totals");
const tiles = new Map();
const visible = new Set();
let askTimer = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) visible.add(entry.target.dataset.camera);
      else visible.delete(entry.target.dataset.camera);
    }
    askSoon();
  },
  { rootMargin: "120px" },
);

const stream = new Stream({
  overview(message) {
    showBanner(message.redis.up ? "" : `Nothing is known about the cameras now: ${message.redis.message}`);
    showShedding(message.shedding);
    arrange(message.cameras, message.redis.up);
    showTotals(message.cameras);
  },
  picture(message, blob) {
    tiles.get(message.camera)?.show(message, blob);
  },
  silent() {
    showShedding(null);
    for (const tile of tiles.values()) tile.silence();
  },
  link: showLink,
});

function arrange(cameras, isKnown) {
  const names = new Set(cameras.map((facts) => facts.name));
  for (const [name, tile] of tiles) {
    if (names.has(name)) continue;
    observer.unobserve(tile.element);
    tile.element.remove();
    tiles.delete(name);
    visible.delete(name);
  }
  cameras.forEach((facts, index) => {
    let tile = tiles.get(facts.name);
    if (!tile) {
      tile = new Tile(facts.name);
      tiles.set(facts.name, tile);
      wall.insertBefore(tile.element, wall.children[index] ?? null);
      observer.observe(tile.element);
    }
    tile.update(facts);
  });
  empty.hidden = cameras.length > 0 || !isKnown;
  wall.style.setProperty("--tile-width", tileWidth(cameras.length));
}

// Few cameras are shown large, many so that a common screen holds them.
function tileWidth(count) {
  if (count <= 1) return "100%";
  if (count <= 6) return "28rem";
  if (count <= 9) return "24rem";
  if (count <= 16) return "19rem";
  if (count <= 24) return "16rem";
  return "14rem";
}

function showTotals(cameras) {
  const live = cameras.filter((facts) => facts.shows_picture);
  const people = { with_mask: 0, without_mask: 0, incorrect_mask: 0, unknown: 0 };
  for (const facts of live) for (const key of Object.keys(people)) people[key] += facts.people[key] ?? 0;
  const known = people.with_mask + people.without_mask + people.incorrect_mask;
  const parts = [[`${live.length} of ${cameras.length}`, "live"], [String(known + people.unknown), "people in view"]];
  if (known > 0) parts.push([`${Math.round((100 * people.with_mask) / known)} %`, "masked"]);
  while (totals.children.length > parts.length) totals.lastChild.remove();
  parts.forEach(([number, words], index) => {
    if (!totals.children[index]) {
      const part = document.createElement("span");
      part.append(document.createElement("b"), document.createElement("span"));
      totals.append(part);
    }
    setText(totals.children[index].firstChild, number);
    setText(totals.children[index].lastChild, ` ${words}`);
  });
}

// Scrolling changes what is visible in bursts, and each change costs a new connection.
function askSoon() {
  clearTimeout(askTimer);
  askTimer = setTimeout(ask, 400);
}

function ask() {
  const query = new URLSearchParams();
  const first = tiles.values().next().value;
  query.set("width", String(widthFor(first ? first.canvas.clientWidth : 320, 960)));
  if (visible.size < tiles.size) query.set("cameras", [...visible].sort().join(","));
  stream.ask(`?${query}`);
}

window.addEventListener("resize", askSoon);
stream.ask("?cameras=");
