import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateFiles } from '../../shared/http/certificate.js';
import { makeCertificate } from './self-signed.js';
import { TemporaryFolder } from '../stores/temporary-folder.js';

/** A certificate of a drill's own, in files for its API processes that do not outlive it. */
export class DrillCertificate implements AsyncDisposable {
  readonly #folder: TemporaryFolder;
  readonly files: Readonly<Record<keyof CertificateFiles, string>>;
  /** Whom clients have to trust, in PEM. */
  readonly ca: string;

  private constructor(folder: TemporaryFolder, ca: string) {
    this.#folder = folder;
    this.files = { TLS_CERT_FILE: join(folder.path, 'tls.crt'), TLS_KEY_FILE: join(folder.path, 'tls.key') };
    this.ca = ca;
  }

  static async make(): Promise<DrillCertificate> {
    const { cert, key } = await makeCertificate();
    const made = new DrillCertificate(await TemporaryFolder.create('certificate', process.env), cert);
    await writeFile(made.files.TLS_CERT_FILE, cert);
    await writeFile(made.files.TLS_KEY_FILE, key, { mode: 0o600 });
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }
}
