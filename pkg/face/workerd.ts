// Cloudflare Workers: the module comes compiled.

import { initSync } from "./core.js";
import module from "./core_bg.wasm";

initSync({ module });

export * from "./index.js";
