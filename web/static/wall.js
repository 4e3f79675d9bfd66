// The wall: all cameras, over one connection, pictures only for the tiles that can be seen.

import { Stream } from "./stream.js";
import { Tile, setText, showBanner, showLink, showShedding, widthFor } from "./tile.js";

const wall = document.getElementById("wall");
const empty = document.getElementById("empty");
const totals = document.getElementById("totals");
const tiles = new Map();
const visible = new Set();
const CAPTION_REM = 4; // Of a tile, below its picture.
const LEAST_REM = 14;  // Of a tile's width; site.css has the same.
let askTimer = 0;
let laidOutFor = "";

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
    showTotals(message.redis.up ? message.cameras : []);
  },
  picture(message, blob) {
    tiles.get(message.camera)?.show(message, blob);
  },
  silent() {
    showShedding(null);
    showTotals([]);
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
  layOut();
}

// Tiles are as large as lets all of them be seen at once, on a phone as on the screen of a control room. Where that is
// too small they fill rows instead, and the page scrolls.
function layOut() {
  const room = [tiles.size, innerWidth, innerHeight].join();
  if (!tiles.size || room === laidOutFor) return;
  laidOutFor = room;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const gap = parseFloat(getComputedStyle(wall).columnGap);
  const high = innerHeight - Math.max(wall.getBoundingClientRect().top + scrollY, 5 * rem) - 2 * rem;
  let [columns, widest] = [0, 0];
  for (let count = 1; count <= tiles.size; count += 1) {
    const rows = Math.ceil(tiles.size / count);
    const picture = (high + gap) / rows - gap - CAPTION_REM * rem;
    const width = Math.min((wall.clientWidth + gap) / count - gap, (picture * 16) / 9);
    if (width > widest) [columns, widest] = [count, width];
  }
  const fits = widest >= LEAST_REM * rem;
  wall.style.gridTemplateColumns = fits ? `repeat(${columns}, ${Math.floor(widest)}px)` : "";
}

// No number stands where nothing is known: none of them may pass for nobody, or for what is there now.
function showTotals(cameras) {
  const live = cameras.filter((facts) => facts.shows_picture);
  const people = { with_mask: 0, without_mask: 0, incorrect_mask: 0, unknown: 0 };
  for (const facts of live) for (const key of Object.keys(people)) people[key] += facts.people[key] ?? 0;
  const known = people.with_mask + people.without_mask + people.incorrect_mask;
  const all = known + people.unknown;
  const parts = [];
  if (cameras.length > 0) parts.push([`${live.length} of ${cameras.length}`, "live"]);
  if (live.length > 0) parts.push([String(all), all === 1 ? "person in view" : "people in view"]);
  // No percentage: these are a moment's few people, of whom some aren't told yet.
  if (known > 0) parts.push([`${people.with_mask} of ${known}`, "with mask"]);
  if (people.unknown > 0) parts.push([String(people.unknown), "not known yet"]);
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

window.addEventListener("resize", () => {
  layOut();
  askSoon();
});
stream.ask("?cameras=");
