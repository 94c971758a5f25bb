import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

/** One keep-alive connection that says exactly what the test writes, and shows exactly what comes back. */
export class Connection implements Disposable {
  readonly #socket: Socket;
  #received = '';
  #ended = false;
  readonly #watchers = new Set<() => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    const tell = () => {
      for (const watch of this.#watchers) watch();
    };
    socket.on('data', (text: string) => {
      this.#received += text;
      tell();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      tell();
    });
  }

  /** Over TLS when it is told whom to trust. */
  static async open(port: number, ca?: string): Promise<Connection> {
    const to = { port, host: '127.0.0.1' };
    const socket = ca === undefined ? connect(to) : connectSecurely({ ...to, ca });
    await once(socket, ca === undefined ? 'connect' : 'secureConnect');
    return new Connection(socket);
  }

  get received(): string {
    return this.#received;
  }

  get(path: string): void {
    this.send(`GET ${path} HTTP/1.1\r\nHost: tally\r\n\r\n`);
  }

  send(text: string): void {
    this.#socket.write(text);
  }

  /** Resolves with all that came, once this was in it. */
  async receives(text: string): Promise<string> {
    await this.#until(() => this.#received.includes(text) || this.#ended);
    if (!this.#received.includes(text)) throw new Error(`ended without "${text}": ${this.#received}`);
    return this.#received;
  }

  /** Resolves when the other side has ended the connection. */
  ends(): Promise<void> {
    return this.#until(() => this.#ended);
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const watch = () => {
        if (!holds()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
