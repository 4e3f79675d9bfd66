// One camera on a page: its picture, state, pace and people.

const WAITING = new Set(["connecting", "ended", "disabled"]);
export const WIDTHS = [320, 480, 640, 960, 1280];

export class Tile {
  constructor(name) {
    this.name = name;
    this.element = document.getElementById("tile").content.firstElementChild.cloneNode(true);
    this.element.dataset.camera = name;
    this.element.dataset.frames = "0";
    this.canvas = this.element.querySelector("canvas");
    this.canvas.setAttribute("aria-label", `camera ${name}`);
    this.element.querySelector(".picture").href = `/cameras/${encodeURIComponent(name)}`;
    this.element.querySelector(".name").textContent = name;
    this.element.querySelector(".name").title = name;
    this.people = this.element.querySelector(".people");
    this.people.append(document.getElementById("people").content.cloneNode(true));
    this.next = null;
    this.isDrawing = false;
  }

  // Takes facts of /api/v1/cameras' form.
  update(facts) {
    this.facts = facts;
    const look = facts.shows_picture ? "live" : WAITING.has(facts.state) || facts.state === "live" ? "waiting" : "lost";
    this.look(look, facts.title, facts.reason);
    showPeople(this.people, facts.people, facts.shows_picture);
    setText(this.element.querySelector(".nobody"), facts.shows_picture && !sum(facts.people) ? "nobody" : "");
    setText(this.element.querySelector(".fps"), facts.shows_picture ? `${facts.fps.toFixed(1)} fps` : "");
    setText(this.element.querySelector(".age"), ageInWords(facts));
  }

  look(look, title, reason) {
    this.element.dataset.look = look;
    const badge = this.element.querySelector(".badge");
    setText(badge.querySelector(".words"), title);
    badge.title = reason;
  }

  // Nothing has been heard for a while: what is on the canvas must not pass for live.
  silence() {
    this.look("silent", "no signal", "the site doesn't answer");
    for (const part of [".nobody", ".fps", ".age"]) setText(this.element.querySelector(part), "");
    showPeople(this.people, {}, false);
  }

  // Draws the newest picture; those that come while one is being decoded replace each other.
  show(message, blob) {
    this.next = { message, blob };
    if (!this.isDrawing) this.draw();
  }

  async draw() {
    this.isDrawing = true;
    while (this.next) {
      const { message, blob } = this.next;
      this.next = null;
      let bitmap;
      try {
        bitmap = await createImageBitmap(blob);
      } catch {
        continue; // Cut off on its way; the next one follows.
      }
      if (this.canvas.width !== bitmap.width || this.canvas.height !== bitmap.height) {
        this.canvas.width = bitmap.width;
        this.canvas.height = bitmap.height;
      }
      this.canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
      bitmap.close();
      this.element.dataset.frames = String(Number(this.element.dataset.frames) + 1);
      this.element.dataset.picture = message.live ? "live" : "card";
    }
    this.isDrawing = false;
  }
}

// A scene in which nothing moves is analysed every few seconds: that is the picture's age, not the camera's liveness,
// which the state tells by the age of its last packet.
export function ageInWords(facts) {
  const age = facts.frame_age_s;
  if (age === null) return "";
  if (!facts.shows_picture) return `last picture ${inWords(age)} ago`;
  return facts.is_still ? `still, ${inWords(age)}` : `${age.toFixed(1)} s`;
}

export function inWords(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

export function showPeople(list, people, isKnown) {
  for (const item of list.children) {
    const count = isKnown ? people[item.dataset.verdict] ?? 0 : 0;
    setText(item.querySelector("b"), String(count));
    item.hidden = count === 0;
  }
}

export function sum(numbers) {
  return Object.values(numbers).reduce((total, number) => total + number, 0);
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function showLink(state) {
  const link = document.getElementById("link");
  link.hidden = false; // Without scripts there is no connection to speak of.
  link.dataset.link = state;
  setText(link.querySelector(".words"), { open: "connected", lost: "connection lost, trying again" }[state] ?? state);
}

// What gives way because the workers can't keep up, as /api/v1/status describes it; null: nothing is known.
export function showShedding(shedding) {
  const element = document.getElementById("shedding");
  element.hidden = !shedding || shedding.level === 0;
  if (element.hidden) return;
  setText(element.querySelector(".words"), `overload: ${shedding.words}`);
  element.title = `Level ${shedding.level} of ${shedding.most}. The workers can't keep up; all of it comes back when they can.`;
}

export function showBanner(text) {
  const banner = document.getElementById("banner");
  setText(banner, text);
  banner.hidden = !text;
}

// The smallest width on offer that fills an element of so many CSS pixels.
export function widthFor(cssPixels, most) {
  const needed = cssPixels * (window.devicePixelRatio || 1);
  const offered = WIDTHS.filter((width) => width <= most);
  return offered.find((width) => width >= needed * 0.9) ?? offered.at(-1);
}
