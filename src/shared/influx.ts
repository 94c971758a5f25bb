import http from 'node:http';
import https from 'node:https';
import {
  HttpError,
  InfluxDB,
  type Headers,
  type SendOptions,
  type Transport,
} from '@influxdata/influxdb-client';
import { SECOND } from './duration.js';
import type { Lines } from './lines.js';

export interface InfluxConfig {
  readonly INFLUX_URL: string;
  readonly INFLUX_TOKEN: string;
  readonly INFLUX_ORG: string;
  readonly INFLUX_BUCKET: string;
}

/** Which InfluxDB answers: the first number of its version, and where it takes lines. */
export interface InfluxServer {
  readonly generation: 1 | 2 | 3;
  readonly version: string;
  readonly writePath: string;
}

/** What came back for a request; `status` is `undefined` when nothing did. */
export interface InfluxAnswer {
  readonly status: number | undefined;
  readonly body: string;
  /** `Retry-After`, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** A query or command that InfluxDB refused. */
export class InfluxError extends Error {
  readonly code = 'INFLUX';

  constructor(
    message: string,
    readonly status?: number,
  ) {
    super(message);
    this.name = 'InfluxError';
  }
}

/** One series of an InfluxQL answer. */
export interface Series {
  readonly tags?: Readonly<Record<string, string>>;
  readonly columns: readonly string[];
  /** Missing where the series is empty. */
  readonly values?: readonly (readonly (string | number | null)[])[];
}

/** An answer that takes longer counts as none. */
const TIMEOUT_MS = 10 * SECOND;

/**
 * InfluxDB 1.x, 2.x and 3.x over the official client's transport. The client's own `WriteApi` drops a batch on any
 * error below 429, reads `Retry-After` as milliseconds and abandons what it holds on close, so it is not used.
 */
export class Influx implements Disposable {
  readonly #config: InfluxConfig;
  readonly #transport: Transport;
  readonly #agent: http.Agent;
  #server: Promise<InfluxServer> | undefined;

  constructor(config: InfluxConfig) {
    this.#config = config;
    const Agent = config.INFLUX_URL.startsWith('https:') ? https.Agent : http.Agent;
    this.#agent = new Agent({ keepAlive: true });
    const transportOptions = { agent: this.#agent };
    this.#transport = new InfluxDB({
      url: config.INFLUX_URL,
      timeout: TIMEOUT_MS,
      transportOptions,
    }).transport;
  }

  /**
   * Asks for the version with `GET /ping`, once until {@link forget}.
   *
   * @throws {InfluxError} when nothing answers as InfluxDB does.
   */
  server(): Promise<InfluxServer> {
    this.#server ??= this.#ping().catch((error: unknown) => {
      this.#server = undefined;
      throw error;
    });
    return this.#server;
  }

  /** Asks again next time: the server may have been replaced by another version. */
  forget(): void {
    this.#server = undefined;
  }

  /** Posts lines, with timestamps in nanoseconds. Never rejects: what InfluxDB said is data. */
  async write(lines: Lines): Promise<InfluxAnswer> {
    let server: InfluxServer;
    try {
      server = await this.server();
    } catch (error) {
      return { status: undefined, body: (error as Error).message };
    }
    return this.#send(server.writePath, lines.text, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain; charset=utf-8', ...this.#authorization(server.generation) },
    });
  }

  /**
   * Runs one InfluxQL statement on `/query`, which all three generations answer. Times come back as nanoseconds in
   * RFC 3339.
   *
   * @throws {InfluxError} with what InfluxDB said.
   */
  async query(influxql: string, method: 'GET' | 'POST' = 'GET'): Promise<readonly Series[]> {
    const { generation } = await this.server();
    const search = new URLSearchParams({ db: this.#config.INFLUX_BUCKET, q: influxql });
    const answer = await this.request(method, `/query?${search}`, undefined, generation);
    const { results } = JSON.parse(answer) as {
      results?: readonly { error?: string; series?: readonly Series[] }[];
    };
    const [result] = results ?? [];
    if (result?.error !== undefined) throw new InfluxError(result.error, 200);
    return result?.series ?? [];
  }

  /**
   * Any other call of InfluxDB's API. Resolves with the body of a 2xx answer.
   *
   * @throws {InfluxError} with the status and the body otherwise.
   */
  async request(method: string, path: string, body?: unknown, generation?: number): Promise<string> {
    const { status, body: answer } = await this.#send(path, body === undefined ? '' : JSON.stringify(body), {
      method,
      headers: {
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...this.#authorization(generation ?? (await this.server()).generation),
      },
    });
    if (status === undefined) throw new InfluxError(`InfluxDB does not answer: ${answer}`);
    if (status >= 300)
      throw new InfluxError(`InfluxDB answered ${status} to ${method} ${path}: ${answer.trim()}`, status);
    return answer;
  }

  async #ping(): Promise<InfluxServer> {
    let headers: Headers = {};
    const options = { method: 'GET', headers: this.#authorization(2) };
    const { status, body } = await this.#send('/ping', '', options, (received) => (headers = received));
    if (status === undefined) throw new InfluxError(`InfluxDB does not answer: ${body}`);
    if (status >= 300)
      throw new InfluxError(`InfluxDB answered ${status} to GET /ping: ${body.trim()}`, status);
    // 3.x says its version in the body; hosted services say a name without a number and speak the API of 2.x.
    const named = headers['x-influxdb-version'] ?? /"version"\s*:\s*"([^"]+)"/.exec(body)?.[1] ?? '';
    const version = String(named).replace(/^v/, '');
    const [, major = '2', minor = '0'] = /^(\d+)\.(\d+)/.exec(version) ?? [];
    const generation = Number(major) >= 3 ? 3 : Number(major) === 1 ? 1 : 2;
    return { generation, version, writePath: this.#writePath(generation, Number(minor)) };
  }

  #writePath(generation: number, minor: number): string {
    const { INFLUX_BUCKET: bucket, INFLUX_ORG: org } = this.#config;
    // 1.8 was the first of the 1.x line with the API of 2.x.
    if (generation === 1 && minor < 8)
      return `/write?${new URLSearchParams({ db: bucket, precision: 'ns' })}`;
    return `/api/v2/write?${new URLSearchParams({ bucket, ...(org !== '' && { org }), precision: 'ns' })}`;
  }

  #authorization(generation: number): Record<string, string> {
    const { INFLUX_TOKEN: token } = this.#config;
    if (token === '') return {};
    // `Token user:password` came with 1.8; basic authentication is understood by the whole line.
    if (generation === 1) return { Authorization: `Basic ${Buffer.from(token).toString('base64')}` };
    return { Authorization: `Token ${token}` };
  }

  #send(
    path: string,
    body: string,
    options: SendOptions,
    onHeaders?: (headers: Headers) => void,
  ): Promise<InfluxAnswer> {
    return new Promise((resolve) => {
      let status: number | undefined;
      const parts: Uint8Array[] = [];
      this.#transport.send(path, body, options, {
        responseStarted: (headers, statusCode) => {
          status = statusCode;
          onHeaders?.(headers);
        },
        next: (part) => {
          parts.push(part);
        },
        complete: () => resolve({ status: status ?? 204, body: Buffer.concat(parts).toString('utf8') }),
        error: (error) => resolve(toAnswer(error)),
      });
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function toAnswer(error: Error): InfluxAnswer {
  if (!(error instanceof HttpError)) return { status: undefined, body: error.message || error.name };
  const header = error.headers?.['retry-after'];
  const seconds = typeof header === 'string' && /^\d+$/.test(header.trim()) ? Number(header) : undefined;
  return {
    status: error.statusCode,
    body: error.body ?? '',
    retryAfterMs: seconds === undefined ? undefined : seconds * SECOND,
  };
}
