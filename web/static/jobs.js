// Jobs: the newest progress without reloading, and uploads that show how far they are.

import { showBanner } from "./tile.js";

const LEAST_MS = 1000;
const MOST_MS = 30000;
let failures = 0;
let timer = 0;

function live() {
  return document.querySelector("[data-live]");
}

// What only progresses is changed in place, so that focus and a playing video stay; anything else is replaced whole.
function show(fresh) {
  const shown = live();
  if (shown.dataset.shape !== fresh.dataset.shape) {
    shown.replaceWith(fresh);
    return;
  }
  shown.dataset.every = fresh.dataset.every;
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = shown.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    if (old && old.outerHTML !== part.outerHTML) old.replaceWith(part);
  }
}

async function refresh() {
  const from = live().dataset.from; // Not this address: the page of a form that was refused has the form's.
  try {
    const answer = await fetch(from, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10000) });
    if (answer.status === 404) return location.assign("/jobs");
    if (!answer.ok) throw new Error(`the site answered ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    if (!fresh) return location.assign(from); // a log-in that has ended leads elsewhere
    show(document.adoptNode(fresh));
    showBanner("");
    failures = 0;
  } catch (error) {
    failures += 1;
    if (failures > 1) showBanner(`How far the jobs are isn't known now: ${error.message}`);
  }
  later();
}

function later() {
  clearTimeout(timer);
  const every = Number(live()?.dataset.every);
  if (!every || document.hidden) return;
  timer = setTimeout(refresh, Math.min(Math.max(every, LEAST_MS) * 2 ** failures, MOST_MS));
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && Number(live()?.dataset.every)) refresh();
});

function size(bytes) {
  return bytes < 10 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MB` : `${Math.round(bytes / (1 << 20))} MB`;
}

function upload(form) {
  const problem = document.getElementById("problem");
  const sending = document.getElementById("sending");
  const bar = sending.querySelector("progress");
  const words = sending.querySelector(".words");
  const send = form.querySelector("button[type=submit]");
  let request = null;

  function complain(text) {
    problem.textContent = text;
    problem.hidden = !text;
    if (text) problem.scrollIntoView({ block: "nearest" });
  }

  function isOver(text) {
    request = null;
    sending.hidden = true;
    send.disabled = false;
    complain(text);
  }

  // The server says the same; this only spares the sending.
  function whatIsWrong(file) {
    if (!file) return "No file was chosen; choose a video or a picture.";
    if (file.size === 0) return `${file.name} is empty (0 bytes); choose a video or a picture.`;
    const most = Number(form.dataset.most);
    if (file.size > most) return `${file.name} is too large: ${size(file.size)}, expected at most ${size(most)}.`;
    const suffixes = form.dataset.accept.split(",");
    if (!suffixes.some((suffix) => file.name.toLowerCase().endsWith(suffix)))
      return `${file.name} is neither a video nor a picture by its name; expected one that ends in ${suffixes.join(", ")}.`;
    return "";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    const file = form.elements.file.files[0];
    const wrong = whatIsWrong(file);
    complain(wrong);
    if (wrong) return;
    const query = new URLSearchParams({ name: file.name });
    for (const wish of ["every", "profile", "detector"]) query.set(wish, form.elements[wish].value);
    request = new XMLHttpRequest();
    request.open("POST", `${form.dataset.api}?${query}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Accept", "application/json");
    if (form.elements.csrf_token) request.setRequestHeader("X-CSRFToken", form.elements.csrf_token.value);
    request.responseType = "json";
    request.upload.onprogress = (progress) => {
      bar.value = progress.loaded / file.size;
      words.textContent = `${size(progress.loaded)} of ${size(file.size)}`;
    };
    request.onload = () => {
      if (request.status === 201) location.assign(request.response.page);
      else isOver(request.response?.error?.message ?? `The site answered ${request.status}.`);
    };
    request.onerror = () => isOver("The upload broke off: the site can't be reached, or closed the connection. Try again.");
    request.onabort = () => isOver("");
    bar.value = 0;
    words.textContent = "";
    sending.hidden = false;
    send.disabled = true;
    request.send(file);
  });
  document.getElementById("stop").addEventListener("click", () => request?.abort());
}

const form = document.getElementById("upload");
if (form) upload(form);
later();
