// The page of messages: the live tail, and the event that a link points out.

import { Tail } from "./tail.js";

const button = document.getElementById("tail");
const tail = new Tail(button.dataset.url, document.getElementById("live-list"), document.getElementById("live-state"));

button.addEventListener("click", () => {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(isOn));
  document.getElementById("live").hidden = !isOn;
  document.getElementById("found")?.toggleAttribute("hidden", isOn);
  if (isOn) {
    tail.open();
  } else {
    tail.close();
  }
});
addEventListener("pagehide", () => tail.close());
document.getElementById("event")?.scrollIntoView({ block: "center" });
