// Any other host: the module is inside, as base64.

import { initSync } from "./core.js";
import base64 from "./core_base64.js";

initSync({ module: Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)) });

export * from "./index.js";
