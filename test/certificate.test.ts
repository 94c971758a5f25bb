import { createPrivateKey } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeCertificate } from '../src/drill/processes/self-signed.js';
import { CertificateWatch, readCertificate, type Certificate } from '../src/shared/http/certificate.js';
import { ConfigurationError } from '../src/shared/configuration.js';
import { DAY } from '../src/shared/duration.js';
import { quiet } from './accepting-store.js';
import { until } from './latch.js';

let folder: string;
let files: { TLS_CERT_FILE: string; TLS_KEY_FILE: string };
let certificate: Certificate;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tally-certificate-'));
  files = { TLS_CERT_FILE: join(folder, 'tls.crt'), TLS_KEY_FILE: join(folder, 'tls.key') };
  certificate = await makeCertificate();
  await write(certificate);
});
afterEach(() => rm(folder, { recursive: true }));

async function write({ cert, key }: Certificate): Promise<void> {
  await writeFile(files.TLS_CERT_FILE, cert);
  await writeFile(files.TLS_KEY_FILE, key);
}

async function faults(): Promise<readonly string[]> {
  const error: unknown = await readCertificate(files).catch((thrown: unknown) => thrown);
  return error instanceof ConfigurationError ? error.faults : expect.fail(`no faults: ${String(error)}`);
}

describe('a certificate', () => {
  test('is taken with its key, and with those that it depends on', async () => {
    expect(await readCertificate(files)).toEqual(certificate);
    const chain = { ...certificate, cert: certificate.cert + (await makeCertificate()).cert };
    await write(chain);
    expect(await readCertificate(files)).toEqual(chain);
  });

  test('that cannot be read, and neither its key, is two faults', async () => {
    await rm(files.TLS_CERT_FILE);
    files = { ...files, TLS_KEY_FILE: folder };
    expect((await faults()).toSorted()).toEqual([
      `TLS_CERT_FILE: "${files.TLS_CERT_FILE}" cannot be read: ENOENT`,
      `TLS_KEY_FILE: "${folder}" cannot be read: EISDIR`,
    ]);
  });

  test('and a key that are something else are two faults, and never shown', async () => {
    await write({ cert: 'hunter2', key: 'hunter2' });
    expect(await faults()).toEqual([
      `TLS_CERT_FILE: "${files.TLS_CERT_FILE}" is not a certificate in PEM`,
      `TLS_KEY_FILE: "${files.TLS_KEY_FILE}" is not a private key in PEM without a passphrase`,
    ]);
  });

  test('with the key of another, or one behind a passphrase, is a fault', async () => {
    const other = await makeCertificate();
    await write({ ...certificate, key: other.key });
    expect(await faults()).toEqual([
      `TLS_KEY_FILE: "${files.TLS_KEY_FILE}" is not the key of the certificate`,
    ]);
    const locked = createPrivateKey(certificate.key).export({
      ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' },
    });
    await write({ ...certificate, key: String(locked) });
    expect(await faults()).toEqual([expect.stringContaining('without a passphrase')]);
  });

  test.each([
    ['expired', { fromMs: Date.now() - 2 * DAY, toMs: Date.now() - DAY }, /expired at \d{4}-.*Z$/],
    ['comes yet', { fromMs: Date.now() + DAY, toMs: Date.now() + 2 * DAY }, /is not valid before \d{4}-.*Z$/],
  ])('that %s is a fault', async (_, validity, fault) => {
    await write(await makeCertificate(validity));
    expect(await faults()).toEqual([expect.stringMatching(fault)]);
  });

  test('whose chain ends in the middle is a fault', async () => {
    const chain = certificate.cert + (await makeCertificate()).cert;
    await write({ ...certificate, cert: chain.slice(0, -60) });
    expect(await faults()).toEqual([expect.stringMatching(/^TLS_CERT_FILE: .* cannot be used: /)]);
  });
});

describe('a certificate that is watched', () => {
  let renewed: Certificate[];
  let said: unknown[];
  let watch: CertificateWatch | undefined;
  beforeEach(() => {
    renewed = [];
    said = [];
  });
  afterEach(() => watch?.[Symbol.dispose]());

  function start(): void {
    const log = Object.assign(Object.create(quiet) as typeof quiet, {
      error: ({ err }: { err: unknown }) => void said.push(err),
    });
    watch = new CertificateWatch({
      ...{ files, certificate, log, everyMs: 5 },
      onChange: (next) => void renewed.push(next),
    });
  }

  test('is renewed when its files are written over, in one step or two', async () => {
    start();
    const next = await makeCertificate();
    await writeFile(files.TLS_CERT_FILE, next.cert);
    await until(() => said.length > 0); // the key is not there yet
    expect(renewed).toEqual([]);
    await writeFile(files.TLS_KEY_FILE, next.key);
    await until(() => renewed.length > 0);
    expect(renewed).toEqual([next]);
  });

  test('is renewed as Kubernetes renews Secrets: by a link to a folder that is replaced', async () => {
    const version = async (name: string, { cert, key }: Certificate) => {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'tls.crt'), cert);
      await writeFile(join(folder, name, 'tls.key'), key);
      await symlink(name, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await Promise.all(Object.values(files).map((file) => unlink(file)));
    await version('..2026_01', certificate);
    for (const name of ['tls.crt', 'tls.key']) await symlink(join('..data', name), join(folder, name));
    start();
    const next = await makeCertificate();
    await version('..2026_02', next);
    await until(() => renewed.length > 0);
    expect(renewed).toEqual([next]);
    expect(said).toEqual([]);
  });

  test('stays when what comes is broken, missing or expired, which is said once each', async () => {
    start();
    await write({ ...certificate, cert: certificate.cert.slice(0, 200) });
    await until(() => said.length === 1);
    await rm(files.TLS_CERT_FILE);
    await until(() => said.length === 2);
    await write(await makeCertificate({ fromMs: Date.now() - 2 * DAY, toMs: Date.now() - DAY }));
    await until(() => String(said.at(-1)).includes('expired'));
    const texts = said.map(String);
    expect(new Set(texts).size).toBe(texts.length);
    expect(renewed).toEqual([]);
    const next = await makeCertificate();
    await write(next);
    await until(() => renewed.length > 0);
    expect(renewed).toEqual([next]);
  });
});
