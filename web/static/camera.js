// One camera's page: its picture as large as it is analysed, and all that is known of it.

import { Stream } from "./stream.js";
import { Tile, inWords, setText, showBanner, showLink, showShedding, sum } from "./tile.js";

const COUNTS_EVERY_MS = 2000;
const { camera: name, zone } = document.getElementById("single").dataset;
const tile = new Tile(name);
const stage = document.getElementById("stage");
stage.replaceChildren(tile.element);
tile.element.querySelector(".picture").removeAttribute("href");

const stream = new Stream({
  overview(message) {
    showBanner(message.redis.up ? "" : `Nothing is known about the camera now: ${message.redis.message}`);
    showShedding(message.shedding);
    const facts = message.cameras.find((each) => each.name === name);
    if (facts) {
      tile.update(facts);
      showFacts(facts);
    } else if (message.redis.up) {
      tile.look("lost", "gone", "no such camera is configured now");
      setText(document.getElementById("reason"), "no such camera is configured now");
    }
  },
  picture: (message, blob) => tile.show(message, blob),
  silent() {
    showShedding(null);
    tile.silence();
  },
  link: showLink,
});

function showFacts(facts) {
  setText(document.getElementById("reason"), facts.shows_picture ? "" : facts.reason);
  list("facts", [
    ["State", facts.title],
    ["Scene", scene(facts)],
    ["Since", facts.since_utc ? when(facts.since_utc) : "–"],
    ["Analysed", `${facts.fps.toFixed(1)} of ${facts.configured_fps} fps`],
    ["Read", `${facts.captured_fps.toFixed(1)} fps`],
    ["Age of the picture", age(facts.frame_age_s)],
    ["Last packet", facts.packet_age_s === null ? "–" : `${age(facts.packet_age_s)} ago`],
    ["Reconnects", String(facts.reconnects)],
    ["Size", facts.size_wh[0] ? `${facts.size_wh[0]} × ${facts.size_wh[1]}` : "–"],
    ["Detector", `${facts.detector}, ${facts.profile}`],
    ["Note", facts.note || "–"],
    ["Read by", facts.holder || "–"],
    ["Source", facts.source],
  ]);
}

function scene(facts) {
  if (!facts.shows_picture) return "–";
  return facts.is_still ? "still: a frame every few seconds" : "moves, or did a moment ago";
}

// In the site's time zone, as all its pages tell times, not in the browser's.
function when(utcSeconds) {
  const at = new Date(1000 * utcSeconds);
  const parts = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZone: zone };
  try {
    return `${at.toLocaleString("en-GB", parts)} (${zone})`;
  } catch {
    return at.toISOString(); // This browser doesn't know the zone.
  }
}

function age(seconds) {
  if (seconds === null) return "–";
  return seconds < 10 ? `${seconds.toFixed(1)} s` : inWords(seconds);
}

function list(id, rows) {
  const element = document.getElementById(id);
  rows.forEach(([term, text], index) => {
    if (!element.children[2 * index]) element.append(document.createElement("dt"), document.createElement("dd"));
    setText(element.children[2 * index], term);
    setText(element.children[2 * index + 1], text);
  });
}

async function showCounts() {
  if (document.hidden) return;
  try {
    const answer = await fetch(`/api/v1/cameras/${encodeURIComponent(name)}`, { signal: AbortSignal.timeout(5000) });
    const { counts } = answer.ok ? await answer.json() : { counts: null };
    if (!counts) return;
    list("counts", [
      ["People with mask", String(counts.people.with_mask)],
      ["Without mask", String(counts.people.without_mask)],
      ["Worn wrongly", String(counts.people.incorrect_mask)],
      ["Not known", String(counts.people.unknown)],
      ["Frames captured", String(counts.captured)],
      ["Frames analysed", String(counts.analysed)],
      ["Frames left out", String(sum(counts.dropped))],
    ]);
    document.getElementById("counted").hidden = false;
  } catch {
    // The stream tells when the site is away.
  }
}

stream.ask(`?cameras=${encodeURIComponent(name)}`);
showCounts();
setInterval(showCounts, COUNTS_EVERY_MS);
