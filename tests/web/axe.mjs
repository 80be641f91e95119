// axe-core over what a page shows: contrast, names, roles, keyboard.
import { createRequire } from 'node:module';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'];
// All of them in one theme, and in the other what differs there.
const RUNS = [['light', TAGS], ['dark', ['color-contrast']]];

const textOf = (node) => `${node.target.join(' ')} ${node.html.slice(0, 160)} ${(node.any[0] || node.all[0] || node.none[0])?.message || ''}`;

// Problems of the view in sight, in each theme. `evaluate` is no script of the page: its policy stays as it is.
export async function axeProblems(page, modules, name) {
  const found = [];
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(createRequire(`${modules}/`)('axe-core').source);
  for (const [theme, runOnly] of RUNS) {
    await page.emulateMedia({ colorScheme: theme });
    const violations = await page.evaluate(
      async (only) => (await globalThis.axe.run({ runOnly: only, resultTypes: ['violations'], preload: false, iframes: false })).violations,
      runOnly,
    );
    for (const { id, help, nodes } of violations) found.push(`${name} ${theme}: ${id} (${help}): ${nodes.slice(0, 3).map(textOf).join('; ')}`);
  }
  return found;
}
