// What the runtime loads: the edge as WebAssembly, and its two doors. Nothing is random, timed or fetched here.

import { __worker_init_state, fetch, initSync, Line as Inner, scheduled } from "./dist/edge.js";
import module from "./dist/edge_bg.wasm";

initSync({ module });

export default { fetch, scheduled };

/** The line before a hot aggregate. It outlives a WebAssembly instance that trapped, and what it held in it does not. */
export class Line {
  #with;
  #inner;
  #instance;

  constructor(...state) {
    this.#with = state;
  }

  fetch(request) {
    const { instanceId } = __worker_init_state();
    if (this.#instance !== instanceId) {
      this.#inner = new Inner(...this.#with);
      this.#instance = instanceId;
    }
    return this.#inner.fetch(request);
  }
}
