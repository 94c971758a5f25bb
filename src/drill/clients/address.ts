import type { Target } from './http-connection.js';

/** Where the connections to a web address lead; `insecure`: with whatever certificate there is. */
export function targetOf(url: URL, insecure: boolean): Target {
  const secure = url.protocol === 'https:';
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 443 : 80),
    authority: url.host,
    ...(secure && { tls: insecure ? 'trusting' : 'checking' }),
  };
}

/** The path at which a call is answered where the address has a path of its own. */
export function pathOf(url: URL, call: string): string {
  return `${url.pathname.replace(/\/$/, '')}${call}`;
}
