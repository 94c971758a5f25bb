import type { Certificate } from '../../shared/http/certificate.js';
import { DAY, MINUTE } from '../../shared/duration.js';

/** Certificates of a process that runs now have these names. */
const LOOPBACK = [
  { type: 2, value: 'localhost' },
  { type: 7, ip: '127.0.0.1' },
] as const;

/** When a certificate is valid, as Unix time in milliseconds. */
export interface Validity {
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** Makes a certificate for the loopback address that is its own authority, valid for a day unless told otherwise. */
export async function makeCertificate({
  fromMs = Date.now() - MINUTE,
  toMs = Date.now() + DAY,
}: Validity = {}): Promise<Certificate> {
  // Not there in an image, which runs no drill of its own.
  const { generate } = await import('selfsigned');
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'Tally drill' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(fromMs),
    notAfterDate: new Date(toMs),
    extensions: [{ name: 'subjectAltName', altNames: [...LOOPBACK] }],
  });
  return { cert: `${cert.trimEnd()}\n`, key };
}
