// Opens every view of the page in a browser, walks through all of them by keys alone, and fails for an error on the
// console, a request to another host, a view without its content, or what axe-core finds.
//   node walk.mjs MODULES CHROMIUM URL FAILED_TRACE REPEATED_TRACE [FOLDER_FOR_PICTURES]
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { axeProblems } from './axe.mjs';
import { useByKeys, walkByKeys } from './keys.mjs';

const [modules, executablePath, url, failed, repeated, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const TIMEOUT = 60_000;
// Names and contrasts do not change with the width.
const AXE_WIDTH = 1280;
const VIEWS = [
  ['services', '#/services', '.red tbody tr >> nth=4'],
  ['service', '#/service/checkout', '.red tbody tr'],
  ['search', '#/search', '.result >> nth=5'],
  ['search-none', '#/search?q=no.such%3Dvalue', '.empty'],
  ['trace', `#/trace/${repeated}`, '.row .repeat'],
  ['trace-span', `#/trace/${failed}?side=logs`, '.side .line'],
  ['trace-time', `#/trace/${repeated}?side=time`, '.side .times tbody tr'],
  ['trace-none', `#/trace/${'1'.repeat(32)}`, '.failed'],
  ['compare', `#/compare/${failed}/${repeated}`, '.compare tbody tr'],
  ['logs', '#/logs', '.chart canvas'],
  ['metrics-names', '#/metrics', '.names li'],
  ['metrics', '#/metrics?q=process_memory_usage_ratio', '.chart canvas'],
  ['findings', '#/findings', '.findings, .empty'],
  ['map', '#/map', '.node'],
  ['map-table', '#/map?as=table', '.red tbody tr'],
  ['status', '#/status', '.red tbody tr'],
];
const problems = [];
const check = (isTrue, text) => isTrue || problems.push(text);

function watch(page, name) {
  // The browser reports answers with an error status, too: one view asks for a trace that does not exist.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 404/.test(message.text())) problems.push(`${name()}: console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`${name()}: ${error.stack}`));
  page.on('request', (request) => check(new URL(request.url()).origin === new URL(url).origin, `${name()}: request to ${request.url()}`));
}

async function openAll(browser, { width, theme }) {
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: theme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  let view = '';
  watch(page, () => `${view} ${width} ${theme}`);
  for (const [name, hash, selector] of VIEWS) {
    view = name;
    await page.goto(`${url}/${hash}`);
    await page.waitForSelector(selector);
    await page.waitForFunction(() => !document.querySelector('.loading, .loading-line'));
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(overflow <= 0, `${name} ${width}: ${overflow} px wider than the window`);
    const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, a')].filter((one) => {
      const text = one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.[0]?.textContent.trim();
      return !text && one.checkVisibility();
    }).map((one) => one.outerHTML.slice(0, 120)));
    check(nameless.length === 0, `${name}: controls without a name: ${nameless.join('; ')}`);
    if (width === AXE_WIDTH && theme === 'light') {
      problems.push(...(await axeProblems(page, modules, name)));
      await page.emulateMedia({ colorScheme: theme });
    }
    if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${theme}.png` });
  }
  await context.close();
}

// Repeated calls are one row, and few rows are in the page.
async function openRepeats(browser) {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.setDefaultTimeout(TIMEOUT);
  watch(page, () => 'repeats');
  await page.goto(`${url}/#/trace/${repeated}`);
  await page.waitForFunction(() => [...document.querySelectorAll('.repeat')].some((one) => one.textContent.includes('340')));
  await page.click('.row:has(.repeat) .fold');
  await page.waitForFunction(() => Number(document.querySelector('.rows').dataset.rows) > 340);
  const rows = await page.locator('.row').count();
  check(rows < 100, `${rows} rows are in the page for 350 spans`);
}

if (pictures) mkdirSync(pictures, { recursive: true });
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
try {
  const looks = pictures
    ? [1280, 390].flatMap((width) => ['light', 'dark'].map((theme) => ({ width, theme })))
    : [{ width: 1280, theme: 'light' }, { width: 390, theme: 'dark' }];
  for (const look of looks) await openAll(browser, look);
  for (const walk of [walkByKeys, useByKeys]) {
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
    page.setDefaultTimeout(TIMEOUT);
    watch(page, () => walk.name);
    await walk(page, url);
    await page.context().close();
  }
  await openRepeats(browser);
} catch (error) {
  problems.push(error.stack);
} finally {
  await browser.close();
}
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
