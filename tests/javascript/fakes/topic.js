// A consumer with its topic, as far as a stream shows it: two partitions, flushes whose last block bears the id.

export class FakeTopic {
  #topics = 0;
  #number = 0;
  logs;
  connections = [];
  stats = "";

  constructor() {
    this.recreate();
  }

  get end() {
    return this.logs.map((log) => log.length);
  }

  /** Return a position's text. */
  text(offsets = this.end) {
    return `${this.id};${offsets.map((offset, partition) => `${partition}:${offset}`).join(",")}`;
  }

  /** Delete the topic and create it anew. */
  recreate() {
    this.#topics += 1;
    this.id = `${"A".repeat(20)}${String(this.#topics).padStart(2, "0")}`;
    this.logs = [[], []];
    for (const connection of this.connections) {
      connection.offsets = this.end;
      connection.send("gap", { reason: "recreated", to: this.text() }, this.text());
    }
  }

  /** Publish an event. */
  publish(partition = 0) {
    this.#number += 1;
    const id = `event-${this.#number}`;
    this.logs[partition].push({ id, text: JSON.stringify({ id, subject: id, data: {} }) });
    return id;
  }

  /** Let figures come. */
  tell(text) {
    this.stats = text;
    this.connections.filter(({ wantsStats }) => wantsStats).forEach((each) => each.send("stats", text, ""));
  }

  /** Serve a connection: {send(type, data, id), wantsStats}, from a position or live. */
  serve(connection, from) {
    this.connections.push(connection);
    const [topic, pairs = ""] = (from || this.text()).split(";");
    const isKnown = topic === this.id;
    connection.offsets = isKnown ? pairs.split(",").map((pair) => Number(pair.split(":")[1])) : this.end;
    connection.send("status", { state: "live", ...(isKnown ? {} : { gap: true }) }, from || this.text());
    if (!isKnown) {
      connection.send("gap", { reason: "recreated", to: this.text() }, this.text());
    }
    if (connection.wantsStats && this.stats) {
      connection.send("stats", this.stats, "");
    }
  }

  /** Send a connection what it lacks: all, or at most `most` events of each partition. */
  flush(connection, most = Infinity) {
    const events = this.logs.flatMap((log, partition) => {
      const start = connection.offsets[partition];
      const piece = log.slice(start, start + most);
      connection.offsets[partition] = start + piece.length;
      return piece;
    });
    events.forEach(({ text }, index) => {
      connection.send("message", text, index === events.length - 1 ? this.text(connection.offsets) : "");
    });
  }

  /** Send a connection its position. */
  beat(connection) {
    connection.send("status", { state: "live" }, this.text(connection.offsets));
  }

  leave(connection) {
    this.connections = this.connections.filter((each) => each !== connection);
  }
}
