// Copies what the page needs out of node_modules into static/vendor, licences included.
// npm has checked every package against the hash in package-lock.json before this runs.

import { copyFile, mkdir, rm } from "node:fs/promises";

const FILES = {
  "uPlot.iife.min.js": "uplot/dist/uPlot.iife.min.js",
  "uPlot.min.css": "uplot/dist/uPlot.min.css",
  "uPlot.LICENSE": "uplot/LICENSE",
  "inter.woff2": "@fontsource-variable/inter/files/inter-latin-opsz-normal.woff2",
  "inter.LICENSE": "@fontsource-variable/inter/LICENSE",
};

const from = new URL("node_modules/", import.meta.url);
const to = new URL("static/vendor/", import.meta.url);

await rm(to, { recursive: true, force: true });
await mkdir(to, { recursive: true });
for (const [name, source] of Object.entries(FILES)) {
  await copyFile(new URL(source, from), new URL(name, to));
}
console.log(`screen: ${Object.keys(FILES).length} third-party files are in static/vendor`);
