// The page's part of `cargo xtask bench`: node bench.mjs OUT
//
// What the main thread has to do, as Chromium's own trace says: from the choice of a file to the first paint of
// its list, and for each step of the scrubber and of a list, one step a frame. The figures join those in OUT.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { median, quantile, say } from "../../xtask/bench/figures.mjs";
import { launch, many, permits, serve, shown } from "./browser.mjs";

const out = process.argv[2];
const IMPORTS = 9;
const STEPS = 240;
const FRAME = 1_000 / 60;

/** What the main thread did in a trace, and the times of the page's marks in it. */
function read(trace) {
  const { traceEvents } = JSON.parse(trace);
  const marks = traceEvents.filter(({ name }) => name === "bench");
  const { pid, tid } = marks[0];
  const tasks = traceEvents.filter(
    (event) => event.name === "RunTask" && event.pid === pid && event.tid === tid,
  );
  return { tasks, times: marks.map(({ ts }) => ts).sort((a, b) => a - b) };
}

/**
 * The milliseconds of processor time that the main thread took between each two marks of the page: its own
 * time, so that whatever else runs on the machine does not count.
 */
function busy(trace) {
  const { tasks, times } = read(trace);
  return times.slice(1).map((end, index) => {
    // The task with the mark in it began before; the one with the next mark belongs to the next.
    const own = tasks.filter(({ ts, dur }) => ts + dur > times[index] && ts + dur <= end);
    return own.reduce((sum, { tdur }) => sum + tdur, 0) / 1_000;
  });
}

/** The longest that the page did not answer between the first mark and the last, in the same measure. */
function longestTask(trace) {
  const { tasks, times } = read(trace);
  const within = tasks.filter(({ ts, dur }) => ts + dur > times[0] && ts < times.at(-1));
  return Math.max(...within.map(({ tdur }) => tdur)) / 1_000;
}

async function traced(page, work, figure = busy) {
  const categories = ["blink.user_timing", "disabled-by-default-devtools.timeline"];
  await browser.startTracing(page, { categories });
  await work();
  return figure(await browser.stopTracing());
}

async function open() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  await page.goto(server.url);
  await shown(page);
  return page;
}

/** Chooses the file as a person would, and waits until its streams, so many at least, are painted. */
async function choose(page, file, streams = 8) {
  await page.evaluate((streams) => {
    const list = document.querySelector("#streams .sheet");
    const mark = () => performance.mark("bench");
    document.querySelector("input[type=file]").addEventListener("change", mark, { capture: true });
    window.painted = new Promise((done) => {
      const observer = new MutationObserver(() => {
        // The sheet is as high as all of them.
        if (list.offsetHeight < 56 * streams) return;
        observer.disconnect();
        // A task behind the frame: what the frame needed is done.
        requestAnimationFrame(() => setTimeout(() => (mark(), done())));
      });
      observer.observe(list, { attributes: true, childList: true });
    });
  }, streams);
  await page.locator("input[type=file]").setInputFiles(file);
  await page.evaluate(() => window.painted);
}

/** Does a step a frame, and gives what each took. */
const steps = (page, step) =>
  traced(page, () =>
    page.evaluate(
      async ([source, count]) => {
        const step = new Function(`return ${source}`)();
        for (let index = 0; index <= count; index += 1) {
          await new Promise(requestAnimationFrame);
          performance.mark("bench");
          step(index);
        }
      },
      [`${step}`, STEPS],
    ),
  );

/** The id that stands in the most events. */
function longest(buffer) {
  const lengths = new Map();
  for (const [, id] of gunzipSync(buffer)
    .toString()
    .matchAll(/"aggregateId":\{"S":"(\w+)"/g)) {
    lengths.set(id, (lengths.get(id) ?? 0) + 1);
  }
  return [...lengths].sort(([, a], [, b]) => b - a)[0][0];
}

const folder = mkdtempSync(join(tmpdir(), "rewound-"));
const { name, buffer } = permits(say);
const file = join(folder, name);
writeFileSync(file, buffer);
const server = await serve();
const browser = await launch();
const figures = {};
try {
  say(`importing ${name}, ${IMPORTS} times …`);
  const imports = [];
  let page;
  for (let index = 0; index < IMPORTS; index += 1) {
    await page?.context().close();
    page = await open();
    const [time] = await traced(page, () => choose(page, file));
    imports.push(time);
  }
  figures.import_main_thread_ms = median(imports);

  say(`scrolling through its streams, ${STEPS} frames …`);
  const scrolled = await steps(page, () => {
    document.querySelector("#streams").scrollTop += 330;
  });
  figures.scroll_p99_ms = quantile(scrolled, 0.99);

  say(`scrubbing through its longest stream, ${STEPS} frames …`);
  await page.getByLabel("Filter the streams").fill(longest(buffer));
  await page.locator("#streams [role=option]").first().click();
  const scrub = (index) => {
    const range = document.querySelector("#scrubber");
    range.value = String(index % (Number(range.max) + 1));
    range.dispatchEvent(new Event("input", { bubbles: true }));
  };
  figures.scrub_p99_ms = quantile(await steps(page, scrub), 0.99);
  await page.context().close();

  say("importing 262,000 events, three times …");
  const log = many(262_000, say);
  const large = join(folder, log.name);
  writeFileSync(large, log.buffer);
  const longest_tasks = [];
  for (let index = 0; index < 3; index += 1) {
    await page.context().close();
    page = await open();
    longest_tasks.push(await traced(page, () => choose(page, large, log.streams), longestTask));
  }
  figures.import_262k_longest_task_ms = median(longest_tasks);

  say(`scrolling and scrubbing there, ${STEPS} frames each …`);
  const scrolled_far = await steps(page, () => {
    document.querySelector("#streams").scrollTop += 330;
  });
  figures.scroll_262k_p99_ms = quantile(scrolled_far, 0.99);
  await page.locator("#streams").press("End");
  figures.scrub_262k_p99_ms = quantile(await steps(page, scrub), 0.99);
} finally {
  await browser.close();
  await server.close();
  rmSync(folder, { recursive: true });
}

const ROWS = [
  ["import_main_thread_ms", 300, "8,577 events, from the file to the first paint of their list"],
  ["scroll_p99_ms", FRAME, "a step through the list of 1,439 streams, 99th percentile"],
  ["scrub_p99_ms", FRAME, "a step of the scrubber, 99th percentile"],
  ["import_262k_longest_task_ms", 100, "262,000 events: the longest that the page does not answer"],
  ["scroll_262k_p99_ms", FRAME, "a step through the list of their 43,800 streams"],
  ["scrub_262k_p99_ms", FRAME, "a step of the scrubber in one of them"],
];
console.log("");
for (const [name, most, about] of ROWS) {
  const value = figures[name];
  const met = value <= most ? "" : "  NOT REACHED";
  console.log(
    `${name.padEnd(28)}${`${value.toFixed(1)} ms`.padStart(9)}  ${`≤ ${most.toFixed(1)} ms`.padEnd(11)}  ${about}${met}`,
  );
}
if (out) {
  const others = existsSync(out) ? JSON.parse(readFileSync(out, "utf8")) : {};
  writeFileSync(out, `${JSON.stringify({ ...others, ...figures }, null, 2)}\n`);
}
