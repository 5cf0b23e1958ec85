// The lab, which is downloaded once one of its screens or answers is asked for.

let lab;

function load() {
  lab ??= (async () => {
    const module = await import(new URL("rewound-lab.js", document.baseURI));
    await module.default();
    return module;
  })();
  // What failed is asked for anew the next time.
  lab.catch(() => (lab = undefined));
  return lab;
}

export async function open_lab(element, page) {
  (await load()).start(element, page);
}

export async function price(element, order) {
  (await load()).price(element, order);
}

export async function items(lines) {
  return (await load()).items(lines);
}

/** Tells the lab that the address has changed without a step. */
export function moved() {
  dispatchEvent(new Event("moved"));
}
