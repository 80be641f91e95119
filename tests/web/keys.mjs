// Walks through the views without a mouse.

const focusIs = (page, selector) => page.waitForFunction((one) => document.activeElement?.matches(one), selector);
const hashHas = (page, text) => page.waitForFunction((one) => location.hash.includes(one), text);
// A key that is pressed before the new view is drawn would be the old one's.
const go = async (page, key, view) => {
  await page.keyboard.press('g');
  await page.keyboard.press(key);
  await page.waitForSelector(`.view-${view}`);
};

// The next control that fits, by Tab alone; not every control is worth a walk around the page.
const TABS_MAX = 60;
async function tabTo(page, selector) {
  for (let i = 0; i < TABS_MAX; ++i) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((one) => document.activeElement?.matches(one), selector)) return;
  }
  throw new Error(`${TABS_MAX} times Tab do not lead to ${selector} on ${page.url()}`);
}

// From a search to a span, its logs and back.
export async function walkByKeys(page, url) {
  await page.goto(url);
  await page.waitForSelector('.red tbody tr');
  await go(page, 't', 'search');
  await page.waitForSelector('.result');
  await page.keyboard.press('/');
  await focusIs(page, 'input.query');
  await page.keyboard.type('service=payment error', { delay: 0 });
  await page.keyboard.press('Enter');
  await hashHas(page, 'error');
  await page.waitForSelector('.result.has-error.on');
  await page.keyboard.press('j');
  await page.waitForSelector('.result.on[data-row="1"]');
  await page.keyboard.press('k');
  await page.waitForSelector('.result.on[data-row="0"]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.rows .row.on');
  await page.keyboard.press('n');
  await page.waitForSelector('.side .attributes');
  await hashHas(page, 'span=');
  await page.keyboard.press('n');
  await page.waitForSelector('.side .status-message');
  await page.keyboard.press('e');
  await page.waitForFunction(() => document.querySelector('.row.on .row-name')?.textContent === 'Charge' && document.querySelector('.side h2')?.textContent.includes('payment'));
  await page.keyboard.press('z');
  await hashHas(page, 'zoom=');
  await page.keyboard.press('Shift+Z');
  await page.waitForFunction(() => !location.hash.includes('zoom='));
  // What the address holds is all there is: the same after a reload.
  await page.reload();
  await page.waitForSelector('.side .status-message');
  await tabTo(page, '.tabs button:nth-child(2)');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.side .line');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !location.hash.includes('span='));
  await page.keyboard.press('?');
  await page.waitForSelector('[role=dialog]');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('[role=dialog]'));
  await go(page, 'l', 'logs');
  await page.waitForSelector('.line');
}

// Every other view: reached, used and left by keys.
export async function useByKeys(page, url) {
  await page.goto(url);
  await page.waitForSelector('.red tbody tr');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await hashHas(page, '#/service/');
  await page.waitForSelector('.red[aria-label=Operations] tbody tr.on');
  await page.keyboard.press('Enter');
  await hashHas(page, '#/search');
  await page.waitForSelector('.result.on');
  await page.keyboard.press('m');
  await page.keyboard.press('j');
  await page.waitForSelector('.result.on[data-row="1"]');
  await page.keyboard.press('m');
  await page.waitForSelector('.marked button.main');
  await tabTo(page, '.marked button.main');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.compare tbody tr');

  await go(page, 'm', 'map');
  await page.waitForSelector('.node');
  await tabTo(page, '.node');
  await page.keyboard.press('Enter');
  await hashHas(page, '#/service/');

  await go(page, 'f', 'findings');
  await page.waitForSelector('.findings, .empty');
  await page.keyboard.press('/');
  await focusIs(page, 'select');
  await page.keyboard.press('ArrowDown');
  await hashHas(page, 'kind=');
  await page.keyboard.press('Escape');

  await go(page, 'e', 'metrics');
  await page.keyboard.press('/');
  await focusIs(page, 'input.query');
  await page.keyboard.type('process_memory_usage_ratio', { delay: 0 });
  await page.keyboard.press('Enter');
  await page.waitForSelector('.chart canvas');
  await page.keyboard.press('[');
  await hashHas(page, 'from=');
  await page.keyboard.press('.');
  await page.waitForFunction(() => !location.hash.includes('from='));

  await go(page, 'a', 'status');
  await page.waitForSelector('.red tbody tr');
  const theme = () => page.evaluate(() => document.documentElement.getAttribute('data-theme'));
  const before = await theme();
  await page.keyboard.press('d');
  await page.waitForFunction((one) => document.documentElement.getAttribute('data-theme') !== one, before);
  await tabTo(page, 'button[aria-label=Settings]');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=dialog] input');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => !document.querySelector('[role=dialog]'));
}
