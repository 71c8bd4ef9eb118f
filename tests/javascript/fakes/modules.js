// Node takes a script that imports and exports nothing for a classic one. To the pages, every script is an ES module.

import { register } from "node:module";

const hooks = `export function load(url, context, next) {
  const isScript = url.startsWith("file:") && new URL(url).pathname.endsWith(".js");
  return next(url, isScript ? { ...context, format: "module" } : context);
}`;

register(`data:text/javascript,${encodeURIComponent(hooks)}`);
