import {
  createSecureServer as createHttp2Server,
  type Http2SecureServer,
  type ServerHttp2Session,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import type { Certificate } from './certificate.js';
import { SECOND } from '../duration.js';
import { Http2Connection, type Http2Limits } from './http2-connection.js';
import { Http2Transport } from './http2-transport.js';

/** What a client may take of us; beside it there is what nghttp2 has against floods of resets, pings and settings. */
const LIMITS = {
  handshakeTimeout: 10 * SECOND,
  // The least that RFC 9113 advises: at 1 MiB a body, one connection can make us hold 100 MiB.
  settings: { maxConcurrentStreams: 100, maxHeaderListSize: 16 * 1024, enablePush: false },
};

export interface SecureServerOptions extends Http2Limits {
  /** Told of connections whose handshake is over, and which protocol it chose. */
  readonly onHttp1: (socket: TLSSocket) => void;
  readonly onHttp2: (connection: Http2Connection, socket: TLSSocket) => void;
}

/** A server for HTTP/2 and HTTP/1.1 over TLS, of which the handshake chooses one (ALPN). */
export function createSecureServer(
  fetch: Hono['fetch'],
  certificate: Certificate,
  { onHttp1, onHttp2, ...limits }: SecureServerOptions,
): Http2SecureServer {
  const server = createAdaptorServer({
    fetch,
    createServer: createHttp2Server,
    serverOptions: { ...LIMITS, ...certificate, allowHTTP1: true, noDelay: true },
  }) as Http2SecureServer;
  const [serve] = server.listeners('secureConnection');
  server.removeAllListeners('secureConnection');
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') {
      const transport = new Http2Transport(socket);
      const began = (session: ServerHttp2Session) =>
        onHttp2(new Http2Connection(session, transport, limits), socket);
      server.once('session', began);
      serve?.call(server, transport);
      server.off('session', began);
    } else {
      onHttp1(socket);
      serve?.call(server, socket);
    }
  });
  return server;
}
