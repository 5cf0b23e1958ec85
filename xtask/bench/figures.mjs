// What both benchmarks make figures with: this folder's and the page's.

/** Tells how far it is, beside the figures. */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

export const median = (values) => quantile(values, 0.5);
