// Keeps a page up to date: it is asked for again every two seconds while it is visible, and what has changed is replaced.

const INTERVAL_MS = 2000;
const TIMEOUT_MS = 5000;

const stale = document.getElementById("stale");

/** Return the parts of a page that change by themselves, by name. */
function liveParts(page) {
  return new Map([...page.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));
}

/** Return whether the reader is at work in a part: it must not be replaced under a focus or a selection. */
function isInUse(part) {
  const selection = getSelection();
  return part.contains(document.activeElement) || (!selection.isCollapsed && selection.containsNode(part, true));
}

async function refresh() {
  const response = await fetch(location.href, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) {
    throw new Error(`the page was answered with ${response.status}`);
  }
  // Parsed apart from the page: nothing in it runs. All data in it was escaped by the server.
  const fresh = liveParts(new DOMParser().parseFromString(await response.text(), "text/html"));
  for (const [name, part] of liveParts(document)) {
    const next = fresh.get(name);
    if (next && !isInUse(part) && next.outerHTML !== part.outerHTML) {
      part.replaceWith(document.adoptNode(next));
    }
  }
}

async function keepRefreshing() {
  if (!document.hidden) {
    try {
      await refresh();
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  }
  setTimeout(keepRefreshing, INTERVAL_MS);
}

setTimeout(keepRefreshing, INTERVAL_MS);
