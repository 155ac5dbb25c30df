// What a stage hears of its runs: news over HTTP, kept in the browser. A run here is what answer.py tells of it, with
// `snapshots` (by step, each with `sheets`: name to { width, height, grey }) and `curve`, both first to last.

const BREATH = 250; // ms between two answers, once there is a first picture: one process answers a whole class
const DECODER = { canvas: null }; // one for all pictures: what they are drawn on to be read

// Listen until `feed.over`. `changed()` after each answer; `failed(sentence)` while there is none, or what the answer
// says is wrong or makes runs wait, "" once all is well.
async function listen(feed, changed, failed) {
  let version = -1;
  while (!feed.over) {
    if (document.hidden) await visible(feed); // a hidden tab holds no connection: browsers have six for a server
    try {
      const asked = feed.ids.map((id) => `run=${id}:${newestStep(feed.runs[id])}`).join("&");
      const reply = await fetch(`runs/news?${asked}&since=${version}`, { signal: feed.stopped.signal });
      if (!reply.ok) throw new Error((await reply.json()).error);
      const bytes = new Uint8Array(await reply.arrayBuffer());
      version = Number(reply.headers.get("x-version"));
      failed(await take(feed, bytes));
      if (!feed.over) changed();
      if (feed.ids.some((id) => newestStep(feed.runs[id]) >= 0)) await pause(BREATH);
    } catch (error) {
      if (feed.over) return;
      failed(error instanceof TypeError ? "The app does not answer; trying again." : error.message);
      await pause(1000);
    }
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function visible(feed) {
  return new Promise((resolve) => {
    const look = () => document.hidden && !feed.over || (document.removeEventListener("visibilitychange", look), resolve());
    document.addEventListener("visibilitychange", look);
    feed.stopped.signal.addEventListener("abort", look);
    look();
  });
}

function newestStep(run) {
  return run?.snapshots.at(-1)?.step ?? -1;
}

async function take(feed, bytes) {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const told = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const pictures = bytes.subarray(4 + length);
  for (const [id, { snapshots, curve, ...state }] of Object.entries(told.runs)) {
    for (const snapshot of snapshots) snapshot.sheets = await sheets(snapshot.parts, pictures);
    const run = (feed.runs[id] ??= { snapshots: [], curve: [] });
    Object.assign(run, state, { removed: false });
    // A run that began again after a worker was lost goes over the same steps, with the same results.
    run.snapshots = merged(run.snapshots, snapshots, (one) => one.step, run.step, run.keep);
    run.curve = merged(run.curve, curve, ([step]) => step, run.step, run.keep_of_curve);
  }
  for (const id of told.removed) Object.assign(feed.runs[id] ?? {}, { status: "", removed: true }); // its pictures stay
  feed.remarks = told.remarks;
  return told.problem;
}

// Thinned as the store thins, with the last one kept.
function merged(old, more, stepOf, last, keep) {
  const all = [...old, ...more].filter((one) => stepOf(one) <= last);
  return all.filter((one, index) => stepOf(one) % keep === 0 || index === all.length - 1);
}

async function sheets(parts, pictures) {
  const found = await Promise.all(Object.entries(parts).map(async ([name, [from, to]]) => [name, await sheet(pictures.slice(from, to))]));
  return Object.fromEntries(found);
}

// The grey levels of a PNG, a byte each: a fourth of what a bitmap would hold, and no decoding while one scrubs.
async function sheet(png) {
  const bitmap = await createImageBitmap(new Blob([png], { type: "image/png" }), { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const canvas = (DECODER.canvas ??= new OffscreenCanvas(1, 1));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, grey: Uint8Array.from({ length: width * height }, (_, index) => data[4 * index]) };
}

// The newest snapshot no later than this step; the first where there is none so early.
function snapshotAt(run, step) {
  const snapshots = run?.snapshots ?? [];
  let [low, high] = [0, snapshots.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (snapshots[middle].step <= step) low = middle;
    else high = middle - 1;
  }
  return snapshots[low];
}

// One pixel of one of the first held-out images after every step: { x, steps, outputs }.
async function askPixel(id, image, pixel) {
  const reply = await fetch(`runs/pixel?run=${id}&image=${image}&pixel=${pixel}`);
  const told = await reply.json();
  if (!reply.ok) throw new Error(told.error);
  return told;
}
