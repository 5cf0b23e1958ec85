// A worker that holds nothing and answers at once: what a start of the runtime costs by itself.
export default { fetch: () => Response.json({}) };
