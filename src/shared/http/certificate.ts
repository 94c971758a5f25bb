import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigurationError } from '../configuration.js';
import { SECOND } from '../duration.js';
import type { Logger } from '../log.js';

/** A certificate, followed by those between it and its authority, and its key; in PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Where they are, as the configuration has it. */
export interface CertificateFiles {
  readonly TLS_CERT_FILE: string;
  readonly TLS_KEY_FILE: string;
}

const FILES = ['TLS_CERT_FILE', 'TLS_KEY_FILE'] as const;

/**
 * Reads a certificate and its key.
 *
 * @throws {ConfigurationError} with every fault: a file that cannot be read, or holds something else, a key of another
 * certificate, a certificate that is not valid now.
 */
export async function readCertificate(files: CertificateFiles): Promise<Certificate> {
  const named = (name: keyof CertificateFiles, fault: string) =>
    `${name}: ${JSON.stringify(files[name])} ${fault}`;
  const faults: string[] = [];
  const [cert = '', key = ''] = await Promise.all(
    FILES.map((name) =>
      readFile(files[name], 'utf8').catch((error: NodeJS.ErrnoException) => {
        faults.push(named(name, `cannot be read: ${error.code}`));
        return '';
      }),
    ),
  );
  if (faults.length === 0)
    for (const [name, fault] of faultsOf({ cert, key })) faults.push(named(name, fault));
  if (faults.length > 0) throw new ConfigurationError(faults);
  return { cert, key };
}

type Fault = readonly [name: keyof CertificateFiles, fault: string];

function faultsOf({ cert, key }: Certificate): readonly Fault[] {
  const certificate = attempt(() => new X509Certificate(cert));
  const privateKey = attempt(() => createPrivateKey(key));
  const faults: Fault[] = [];
  if (certificate instanceof Error) faults.push(['TLS_CERT_FILE', 'is not a certificate in PEM']);
  else {
    const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
    if (from.getTime() > Date.now())
      faults.push(['TLS_CERT_FILE', `is not valid before ${from.toISOString()}`]);
    if (to.getTime() < Date.now()) faults.push(['TLS_CERT_FILE', `expired at ${to.toISOString()}`]);
  }
  if (privateKey instanceof Error)
    faults.push(['TLS_KEY_FILE', 'is not a private key in PEM without a passphrase']);
  else if (!(certificate instanceof Error) && !certificate.checkPrivateKey(privateKey))
    faults.push(['TLS_KEY_FILE', 'is not the key of the certificate']);
  if (faults.length > 0) return faults;
  // Such as a key that is too short, or the end of a file that is still being written.
  const context = attempt(() => createSecureContext({ cert, key }));
  return context instanceof Error ? [['TLS_CERT_FILE', `cannot be used: ${context.message}`]] : [];
}

function attempt<T>(action: () => T): T | Error {
  try {
    return action();
  } catch (error) {
    return error as Error;
  }
}

export interface CertificateWatchOptions {
  readonly files: CertificateFiles;
  readonly certificate: Certificate;
  readonly onChange: (certificate: Certificate) => void;
  readonly log: Logger;
  /** How often the files are read, in milliseconds. */
  readonly everyMs?: number;
}

/**
 * Notices another certificate in the files, however it came there. It reads them again and again: links that are
 * replaced somewhere on the way, as those of Kubernetes' Secrets, give a watcher of files nothing to see. What cannot be
 * used, such as a certificate whose key is not there yet, changes nothing and is said once.
 */
export class CertificateWatch implements Disposable {
  readonly #options: CertificateWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #certificate: Certificate;
  #said = '';

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    this.#certificate = options.certificate;
    this.#timer = setInterval(() => void this.#look(), options.everyMs ?? 5 * SECOND).unref();
  }

  async #look(): Promise<void> {
    const { files, onChange, log } = this.#options;
    try {
      const certificate = await readCertificate(files);
      this.#said = '';
      if (certificate.cert === this.#certificate.cert && certificate.key === this.#certificate.key) return;
      this.#certificate = certificate;
      onChange(certificate);
      log.info({ validTo: new X509Certificate(certificate.cert).validTo }, 'the certificate was renewed');
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#said)
        log.error({ err: error }, 'no certificate to renew with; the old one stays');
      this.#said = message;
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
