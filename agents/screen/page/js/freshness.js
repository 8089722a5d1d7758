// How old the numbers are, by the server's clock; old numbers never look new.

/**
 * The server's own limit, should no word of it come any more. Tasks write every 2 s; where nothing
 * at all happens, 5 s after the last event.
 */
const OLD_MS = 8_000;

/** Remembers when the newest snapshot came, and what the connection says. */
export class Freshness {
  connection = "connecting"; // what the stream says
  source = "ok"; // what the server says of its own source
  #snapshot = null;
  #cameAt = 0;

  /** Take a snapshot that has just come. */
  take(snapshot) {
    this.#snapshot = snapshot;
    this.#cameAt = performance.now();
  }

  /** Now, by the server's clock; null before the first snapshot. */
  now() {
    return this.#snapshot && this.#snapshot.at + performance.now() - this.#cameAt;
  }

  /** How old the shown numbers are, in ms. */
  ageMs() {
    if (!this.#snapshot) return 0;
    return Math.max(
      0,
      this.now() - (this.#snapshot.written_at ?? this.#snapshot.data_at ?? this.#snapshot.at),
    );
  }

  /** One of connecting, live, old, no-source, reconnecting, unknown, signed-out, ended. */
  state() {
    if (this.connection === "signed-out") return "signed-out";
    if (this.connection === "live" && this.source !== "ok") return "no-source";
    if (!this.#snapshot) return this.connection === "live" ? "connecting" : this.connection;
    if (this.#snapshot.session.ended) return "ended";
    if (this.connection !== "live")
      return this.connection === "connecting" ? "reconnecting" : this.connection;
    return this.#snapshot.stale || this.ageMs() > OLD_MS ? "old" : "live";
  }

  /** Whether the numbers must look old. */
  stale() {
    return !["live", "ended", "connecting"].includes(this.state());
  }
}
