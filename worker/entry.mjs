// What the runtime loads: the edge as WebAssembly, and the two doors to it. Nothing is random, timed or fetched here.

import { __wbg_reset_state, fetch as answer, initSync, Line } from "./dist/edge.js";
import module from "./dist/edge_bg.wasm";

initSync({ module });

export { Line };

export default {
  async fetch(request, env, context) {
    try {
      return await answer(request, env, context);
    } catch (error) {
      // A trapped instance is dead: the next request gets a new one, without what was only remembered.
      if (error instanceof WebAssembly.RuntimeError) __wbg_reset_state();
      console.error(JSON.stringify({ trap: String(error) }));
      const problem = {
        type: "urn:rewound:problem:trap",
        title: "Internal Server Error",
        status: 500,
        detail:
          "The edge failed, and the command may have taken effect. Send it again with the same Idempotency-Key to find out.",
        code: "trap",
        uncertain: true,
      };
      const headers = { "content-type": "application/problem+json", "cache-control": "no-store" };
      return new Response(JSON.stringify(problem), { status: 500, headers });
    }
  },
};
