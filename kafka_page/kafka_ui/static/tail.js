// Follows a topic. What comes was rendered and escaped by the server; here it is only put in place.

const MOST_SHOWN = 100;

export class Tail {
  #url;
  #list;
  #state;
  #source = null;

  /** list: the element that holds the messages, newest first; state: the one that says how the connection is. */
  constructor(url, list, state) {
    this.#url = url;
    this.#list = list;
    this.#state = state;
  }

  open() {
    this.#list.replaceChildren();
    this.#say("connecting", "");
    this.#source = new EventSource(this.#url);
    this.#source.addEventListener("status", (event) => this.#live(JSON.parse(event.data).notes));
    this.#source.addEventListener("messages", (event) => this.#add(JSON.parse(event.data)));
    this.#source.addEventListener("busy", (event) => {
      this.close();
      this.#say(JSON.parse(event.data).reason, "warn");
    });
    this.#source.addEventListener("error", () => this.#say("reconnecting", "bad"));
  }

  close() {
    this.#source?.close();
    this.#source = null;
  }

  #live(notes = []) {
    if (notes.length || this.#state.dataset.state !== "good") {
      this.#say(["Every message is shown as it comes in.", ...notes].join(" "), notes.length ? "warn" : "good");
    }
  }

  #add({ html, skipped }) {
    const fresh = new DOMParser().parseFromString(html, "text/html").body.children;
    this.#list.prepend(...[...fresh].map((node) => document.adoptNode(node)));
    while (this.#list.children.length > MOST_SHOWN) {
      this.#list.lastElementChild.remove();
    }
    if (skipped) {
      this.#say(`Too many to show all: ${skipped.toLocaleString("en")} were left out just now.`, "warn");
    } else {
      this.#live();
    }
  }

  #say(text, state) {
    if (this.#state.textContent !== text) {
      this.#state.textContent = text;
    }
    this.#state.dataset.state = state;
  }
}
