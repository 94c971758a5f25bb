import { chromium, type Browser, type BrowserContextOptions, type Page } from 'playwright-core';
import { isExecutable, onPath } from '../../src/drill/stores/command.js';

const ON_PATH = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'] as const;
const ELSEWHERE = ['Google Chrome', 'Chromium'].map(
  (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
);

/** Where a browser of Chromium's kind is on this machine. */
export function findBrowser(): string | undefined {
  const found = ON_PATH.map((name) => onPath(name, process.env)).find((path) => path !== undefined);
  return found ?? ELSEWHERE.find(isExecutable);
}

/** @throws {Error} that names the package, when this machine has no such browser. */
export async function openBrowser(): Promise<Browser> {
  const executablePath = findBrowser();
  if (executablePath === undefined)
    throw new Error(
      'Chromium is needed here. Debian: sudo apt-get install chromium; macOS: brew install --cask chromium',
    );
  // Chromium refuses its sandbox to root.
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}

/** A page that somebody opened, and what its browser had to say against it. */
export interface Visit extends AsyncDisposable {
  readonly page: Page;
  /** Errors of its scripts, and whatever the Content-Security-Policy stopped. */
  readonly faults: readonly string[];
}

/** Machines that run tests are busy. */
const PATIENCE_MS = 60_000;

/** In the browser. */
const REPORT_VIOLATIONS = `addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
  reportViolation(violatedDirective + ' stopped ' + blockedURI));`;

/** Opens the live page of an address. */
export async function visit(
  browser: Browser,
  port: number,
  options: BrowserContextOptions = {},
): Promise<Visit> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    // What the network does is for the page to show, not for the console.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      faults.push(message.text());
  });
  await context.exposeFunction('reportViolation', (words: string) => faults.push(words));
  await page.addInitScript({ content: REPORT_VIOLATIONS });
  await page.goto(`http://127.0.0.1:${port}/live`, { timeout: PATIENCE_MS });
  return { page, faults, [Symbol.asyncDispose]: () => context.close() };
}
