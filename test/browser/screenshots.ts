import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { SECOND } from '../../src/shared/duration.js';
import { drill } from '../../src/drill/drill.js';
import { openStores } from '../../src/drill/stores/open-stores.js';
import { openBrowser, visit } from './browser.js';

const FOLDER = fileURLToPath(new URL('../../docs/images/', import.meta.url));

/** A drill with a rolling update in its middle, and so little load that browsers have room beside it. */
const LOAD_MS = 150 * SECOND;
const SETTINGS = { SUM_DELAY: '20ms' };

const BEFORE_MS = 20 * SECOND;
const AFTERWARDS_MS = 5 * SECOND;

const DESKTOP = { viewport: { width: 1280, height: 1000 }, deviceScaleFactor: 1.25 };
const NARROW = { viewport: { width: 390, height: 1600 }, deviceScaleFactor: 1.1 };
const QUALITY = 0.65;

/** What the pictures of a deploy are of: what is seen from outside, and the instances. */
const PARTS = ['.outside', '.instances'] as const;

/** A picture as bytes of PNG. */
type Png = Buffer;

/** Takes the pictures of the README: the page in the midst of a drill, light and dark, and how a deploy looks. */
async function takePictures(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  await using stores = await openStores({ report: say });
  const browser = await openBrowser();
  const stop = new AbortController();
  let began: (port: number) => void = () => undefined;
  const port = new Promise<number>((resolve) => (began = resolve));
  const drilling = drill({
    ...{ stores, apis: 3, workers: 2, connections: 6, durationMs: LOAD_MS, plan: [['roll']], seed: 1 },
    ...{ probeMs: SECOND / 2, lagMs: SECOND, settings: SETTINGS, signal: stop.signal },
    onProgress: () => undefined,
    say: (line) => {
      say(line);
      const [, found] = /answers on http:\/\/127\.0\.0\.1:(\d+)/.exec(line) ?? [];
      if (found !== undefined) began(Number(found));
    },
  });
  try {
    await Promise.race([port.then((found) => photograph(browser, found)), drilling]);
  } finally {
    stop.abort();
    await browser.close();
    await drilling.catch(() => undefined);
  }
}

async function photograph(browser: Browser, port: number): Promise<void> {
  await using wide = await visit(browser, port, DESKTOP);
  const narrow = await visit(browser, port, NARROW);
  const moments = await photographDeploy(narrow.page);
  await narrow[Symbol.asyncDispose]();
  await write(browser, 'deploy.webp', await sideBySide(browser, moments));
  for (const colorScheme of ['light', 'dark'] as const) {
    await wide.page.emulateMedia({ colorScheme });
    await delay(SECOND); // until all is drawn in these colours
    await write(browser, `live-${colorScheme}.webp`, await wide.page.screenshot());
  }
}

interface Moment {
  readonly name: string;
  readonly pictures: readonly Png[];
}

/** Before a rolling update, in its midst, and after it. */
async function photographDeploy(page: Page): Promise<readonly Moment[]> {
  const ready = (release: string) =>
    page.locator('tr[data-state=ready]', { hasText: 'API' }).filter({ hasText: release });
  const moment = async (name: string): Promise<Moment> => {
    const pictures: Png[] = [];
    for (const part of PARTS) pictures.push(await page.locator(part).screenshot());
    return { name, pictures };
  };
  const patience = { timeout: LOAD_MS };
  await ready('release-1').nth(2).waitFor(patience);
  await delay(BEFORE_MS);
  const before = await moment('Release 1');
  await ready('release-2').nth(1).waitFor(patience);
  const midst = await moment('Release 2 comes, release 1 drains');
  await ready('release-1')
    .first()
    .waitFor({ state: 'detached', ...patience });
  await page
    .locator('tr[data-state=draining]')
    .first()
    .waitFor({ state: 'detached', ...patience });
  await delay(AFTERWARDS_MS);
  return [before, midst, await moment('Release 2')];
}

const dataUrl = (png: Png) => `data:image/png;base64,${png.toString('base64')}`;

async function sideBySide(browser: Browser, moments: readonly Moment[]): Promise<Png> {
  const { width } = NARROW.viewport;
  const viewport = { width: moments.length * width, height: 100 };
  const page = await browser.newPage({ viewport, deviceScaleFactor: NARROW.deviceScaleFactor });
  const columns = moments.map(({ name, pictures }) => {
    const images = pictures.map((picture) => `<img src="${dataUrl(picture)}">`).join('');
    return `<div><h2>${name}</h2>${images}</div>`;
  });
  await page.setContent(`<style>
    body { margin: 0; display: flex; align-items: start; background: #f4f5f7; font: 600 14px system-ui, sans-serif; color: #18202b }
    div { width: ${width}px; padding: 0 12px 12px; box-sizing: border-box } h2 { font-size: 15px; margin: 12px 2px }
    img { display: block; width: 100%; margin-bottom: 10px }</style>${columns.join('')}`);
  const png = await page.screenshot({ fullPage: true });
  await page.close();
  return png;
}

/** WebP takes a third of what PNG does; the browser can write it. */
async function write(browser: Browser, name: string, png: Png): Promise<void> {
  const page = await browser.newPage();
  const webp = await page.evaluate<string>(`(async () => {
    const image = new Image();
    image.src = '${dataUrl(png)}';
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    canvas.getContext('2d').drawImage(image, 0, 0);
    return canvas.toDataURL('image/webp', ${QUALITY});
  })()`);
  await page.close();
  const bytes = Buffer.from(webp.replace(/^[^,]*,/, ''), 'base64');
  await writeFile(FOLDER + name, bytes);
  say(`docs/images/${name}: ${(bytes.length / 1_000).toFixed(0)} kB`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await takePictures();
