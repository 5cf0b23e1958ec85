// Browsers, with a bundler or without: the module is fetched from beside this file.

import start from "./core.js";

await start({ module_or_path: new URL("./core_bg.wasm", import.meta.url) });

export * from "./index.js";
