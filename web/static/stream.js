// One connection that carries every picture of the page (GET /api/v1/wall), and what to do when it is lost.
//
// A message is two unsigned 4-byte big-endian lengths, JSON of the first and a JPEG of the second, which may be 0.

const SILENT_MS = 2500;      // Overviews come four times a second; without one, no picture may pass for live.
const GIVE_UP_MS = 6000;     // Then the connection is opened anew.
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 10000;
const MOST_BYTES = 64 << 20; // A message is some tens of kilobytes; more means that this isn't our stream.

export class Stream {
  // handlers: {overview(message), picture(message, blob), link(state), silent()}
  constructor(handlers) {
    this.handlers = handlers;
    this.query = "";
    this.abort = null;
    this.timer = 0;
    this.retries = 0;
    this.heardAt = 0;
    this.isSilent = false;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.open());
    setInterval(() => this.watch(), 500);
  }

  // Ask for other pictures; opens the stream unless the page is hidden.
  ask(query) {
    if (query === this.query && this.abort) return;
    this.query = query;
    this.close();
    this.open();
  }

  open() {
    if (document.hidden || this.abort) return;
    clearTimeout(this.timer);
    const abort = new AbortController();
    this.abort = abort;
    this.heardAt = performance.now();
    this.handlers.link("connecting");
    this.read(abort.signal).then(
      () => this.retry(abort, 0),
      (error) => this.retry(abort, error.retryAfterMs ?? 0),
    );
  }

  close() {
    clearTimeout(this.timer);
    if (!this.abort) return;
    const abort = this.abort;
    this.abort = null;
    abort.abort();
  }

  retry(abort, atLeastMs) {
    if (this.abort !== abort) return; // Closed on purpose.
    this.abort = null;
    this.handlers.link("lost");
    const backOffMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.retries) * (0.7 + 0.6 * Math.random());
    this.retries = Math.min(this.retries + 1, 10);
    this.timer = setTimeout(() => this.open(), Math.max(atLeastMs, backOffMs));
  }

  watch() {
    if (document.hidden) return;
    const silentMs = performance.now() - this.heardAt;
    if (silentMs > SILENT_MS && this.heardAt && !this.isSilent) {
      this.isSilent = true;
      this.handlers.silent();
    }
    if (silentMs > GIVE_UP_MS && this.abort) {
      const abort = this.abort;
      this.retry(abort, 0);
      abort.abort();
    }
  }

  async read(signal) {
    const answer = await fetch(`/api/v1/wall${this.query}`, { signal, cache: "no-store" });
    if (answer.status === 401) {
      // The session is over; the page itself says so, and comes back here.
      location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    }
    if (!answer.ok) {
      const error = new Error(`the site answers ${answer.status}`);
      error.retryAfterMs = 1000 * Number(answer.headers.get("Retry-After") ?? 0);
      throw error;
    }
    const bytes = new Bytes(answer.body.getReader());
    for (;;) {
      const head = await bytes.take(8);
      if (!head) return;
      const view = new DataView(head.buffer, head.byteOffset, 8);
      const [jsonLength, jpegLength] = [view.getUint32(0), view.getUint32(4)];
      if (jsonLength + jpegLength > MOST_BYTES) throw new Error("not a stream of pictures");
      const body = await bytes.take(jsonLength + jpegLength);
      if (!body) return;
      if (!signal.aborted) this.hand(body, jsonLength);
    }
  }

  hand(body, jsonLength) {
    const message = JSON.parse(new TextDecoder().decode(body.subarray(0, jsonLength)));
    if (message.kind === "overview") {
      this.heardAt = performance.now();
      this.isSilent = false;
      this.retries = 0;
      this.handlers.link("open");
      this.handlers.overview(message);
    } else if (message.kind === "picture") {
      this.handlers.picture(message, new Blob([body.subarray(jsonLength)], { type: "image/jpeg" }));
    }
  }
}

// Hands out a reader's chunks in pieces of the length that is asked for.
class Bytes {
  constructor(reader) {
    this.reader = reader;
    this.chunks = [];
    this.length = 0;
  }

  // Resolves to a Uint8Array of its own memory, or to null when the stream ends before.
  async take(length) {
    while (this.length < length) {
      const { done, value } = await this.reader.read();
      if (done) return null;
      this.chunks.push(value);
      this.length += value.length;
    }
    const taken = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const chunk = this.chunks[0];
      const part = chunk.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) this.chunks.shift();
      else this.chunks[0] = chunk.subarray(part.length);
    }
    this.length -= length;
    return taken;
  }
}
