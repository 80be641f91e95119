// The times of one trace's page: node long_trace.mjs MODULES CHROMIUM URL
import { createRequire } from 'node:module';

const [modules, executablePath, url] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const TIMEOUT = 300_000, OPENINGS = 5, KEYS = ['j', 'j', 'PageDown', 'j', 'PageDown', 'End', 'k', 'PageUp', 'Home', 'j'], ROUNDS = 5;

// In the page, before its own scripts: when the first row and the row after a key have been painted.
function measure() {
  const painted = (then) => requestAnimationFrame(() => setTimeout(() => then(performance.now())));
  const times = (globalThis.times = { firstPaint: 0, keys: [] });
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.rows .row')) return;
    observer.disconnect();
    painted((now) => (times.firstPaint = now));
  }).observe(document, { childList: true, subtree: true });
  addEventListener('keydown', (event) => painted((now) => times.keys.push(now - event.timeStamp)), true);
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const part = (list, quantile) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * quantile))];

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const paints = [];
let keys = [], size = 0;
for (let i = 0; i < OPENINGS; ++i) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.setDefaultTimeout(TIMEOUT);
  await page.addInitScript(measure);
  await page.goto(url);
  await page.waitForFunction(() => globalThis.times.firstPaint > 0);
  const { data, paint, bytes } = await page.evaluate(() => {
    const skeleton = performance.getEntriesByType('resource').find((one) => one.name.endsWith('/skeleton'));
    return { data: skeleton.responseEnd, paint: globalThis.times.firstPaint, bytes: skeleton.encodedBodySize };
  });
  paints.push(paint - data);
  size = bytes;
  if (i === OPENINGS - 1) {
    for (let round = 0; round < ROUNDS; ++round)
      for (const key of KEYS) {
        const before = await page.evaluate(() => globalThis.times.keys.length);
        await page.keyboard.press(key);
        await page.waitForFunction((count) => globalThis.times.keys.length > count, before);
      }
    keys = await page.evaluate(() => globalThis.times.keys);
  }
  await page.context().close();
}
await browser.close();
console.log(`skeleton: ${(size / 1e6).toFixed(2)} MB`);
console.log(`first paint after the data, ${OPENINGS} openings: median ${median(paints).toFixed(0)} ms, most ${Math.max(...paints).toFixed(0)} ms`);
console.log(`key to paint, ${keys.length} keys: median ${median(keys).toFixed(1)} ms, p95 ${part(keys, 0.95).toFixed(1)} ms, most ${Math.max(...keys).toFixed(1)} ms`);
