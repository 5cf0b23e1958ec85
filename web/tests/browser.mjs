// What the browser tests and the screenshots share: the built page on a loopback port, and a Chromium.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { delimiter, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../..", import.meta.url));

const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
};

/** Serves the built page; `dist/`, or what `REWOUND_DIST` names. */
export async function serve() {
  const dist = resolve(process.env.REWOUND_DIST ?? join(root, "dist"));
  if (!existsSync(join(dist, "index.html"))) {
    throw new Error(`no index.html in ${dist}: run \`trunk build --release\` first`);
  }
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!file.startsWith(dist) || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = types[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "Content-Type": type });
    createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close: () => new Promise((done) => (server.closeAllConnections(), server.close(done))),
  };
}

/** Starts the Chromium that `CHROMIUM` names, or the first on `PATH`. */
export function launch() {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const candidates = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  const executablePath = process.env.CHROMIUM || candidates.find((file) => existsSync(file));
  if (!executablePath) {
    throw new Error("no Chromium: `apt-get install chromium`, or name one in CHROMIUM");
  }
  const flags = "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking";
  const args = `${flags} disable-component-update disable-sync`
    .split(" ")
    .map((flag) => `--${flag}`);
  return chromium.launch({ executablePath, headless: true, args });
}
