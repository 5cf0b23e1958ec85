// Any other host: the module is inside, as base64.

import { initSync } from "./core.js";
import base64 from "./inlined.js";

initSync({ module: Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)) });

export * from "./index.js";
