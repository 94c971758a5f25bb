import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Hono, type Context } from 'hono';
import { etag } from 'hono/etag';
import { secureHeaders } from 'hono/secure-headers';

/** Made by the build; the same place from src and from dist. */
const FOLDER = fileURLToPath(new URL('../../../dist/page/', import.meta.url));

const ASSETS = {
  '/live': { file: 'index.html', type: 'text/html; charset=utf-8' },
  '/live/page.js': { file: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/live/page.css': { file: 'page.css', type: 'text/css; charset=utf-8' },
} as const;

/** The best first: what the build has compressed, and as which file. */
const ENCODINGS = [
  { encoding: 'br', suffix: '.br' },
  { encoding: 'gzip', suffix: '.gz' },
] as const;

/** Nothing but the page's own files, from where it is; what is text stays text. */
const headers = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    imgSrc: ['data:'],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
    trustedTypes: ["'none'"],
  },
  xFrameOptions: 'DENY',
  referrerPolicy: 'no-referrer',
  crossOriginOpenerPolicy: 'same-origin',
  crossOriginResourcePolicy: 'same-origin',
  permissionsPolicy: { camera: [], geolocation: [], microphone: [], payment: [], usb: [] },
  // Whether all of this address is HTTPS is for others to say.
  strictTransportSecurity: false,
});

interface Body {
  readonly contents: Uint8Array<ArrayBuffer>;
  readonly tag: string;
}

/**
 * The live page: `/live` and its files, read once. Each is asked for again and again and sent only when it is another: a
 * deploy takes effect at once.
 *
 * @throws {Error} when the page is not built.
 */
export function livePage(): Hono {
  const page = new Hono();
  for (const [path, { file, type }] of Object.entries(ASSETS)) {
    const plain = readBody(file);
    const compressed = ENCODINGS.map(({ encoding, suffix }) => ({ encoding, body: readBody(file + suffix) }));
    page.get(path, headers, etag(), (c) => {
      const best = compressed.find(({ encoding }) => accepts(c, encoding));
      const { contents, tag } = best?.body ?? plain;
      return c.body(contents, 200, {
        'Content-Type': type,
        'Cache-Control': 'no-cache',
        Vary: 'Accept-Encoding',
        ETag: tag,
        ...(best && { 'Content-Encoding': best.encoding }),
      });
    });
  }
  page.get('/live/', (c) => c.redirect('../live', 308));
  return page;
}

function readBody(file: string): Body {
  try {
    const contents = new Uint8Array(readFileSync(FOLDER + file));
    return { contents, tag: `"${createHash('sha256').update(contents).digest('base64url')}"` };
  } catch (error) {
    throw new Error(`The live page is not built: npm run build makes ${FOLDER}${file}`, { cause: error });
  }
}

/** As RFC 9110 has it: named, and not with a quality of 0. */
function accepts(c: Context, encoding: string): boolean {
  const named = new RegExp(`(^|,)\\s*${encoding}\\s*(;\\s*q=(?<quality>[\\d.]+)\\s*)?(,|$)`, 'i');
  const found = named.exec(c.req.header('Accept-Encoding') ?? '');
  return found !== null && Number(found.groups?.['quality'] ?? 1) > 0;
}
