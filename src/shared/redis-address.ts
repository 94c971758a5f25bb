interface RedisNode {
  readonly host: string;
  readonly port: number;
}

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Where Redis is: one server, the nodes of a cluster, or the sentinels that know which server is the master. */
export type RedisAddress =
  | { readonly kind: 'server'; readonly url: string }
  | (Login & { readonly kind: 'cluster'; readonly tls: boolean; readonly nodes: readonly RedisNode[] })
  | (Login & {
      readonly kind: 'sentinel';
      readonly tls: boolean;
      readonly nodes: readonly RedisNode[];
      readonly master: string;
      readonly db: number;
      readonly sentinel: Login;
    });

/** `code` is `'REDIS_ADDRESS'`. */
export class RedisAddressError extends Error {
  readonly code = 'REDIS_ADDRESS';

  /** @param fault what is wrong, without showing any of the address; `undefined` when it is no such address at all. */
  constructor(readonly fault: string | undefined) {
    super(`This is no address of Redis${fault === undefined ? '' : `: ${fault}`}`);
    this.name = 'RedisAddressError';
  }
}

/** `redis[s]+cluster://` and `redis[s]+sentinel://`, as `user:password@host:port,host:port/path?parameters`. */
const SEVERAL =
  /^redis(?<tls>s?)\+(?<kind>cluster|sentinel):\/\/(?:(?<login>[^@/?]*)@)?(?<nodes>[^@/?]*)(?:\/(?<path>[^?]*))?(?:\?(?<query>.*))?$/;

const ENCODE = 'an @, / or ? in user or password must be percent-encoded';

const PORTS = { cluster: 6_379, sentinel: 26_379 } as const;

const SENTINEL_LOGIN = ['sentinel_username', 'sentinel_password'];

/**
 * - `redis://user:password@host:6379/0`: one server
 * - `redis+cluster://user:password@a:7000,b:7000,c:7000`: a cluster, by some of its nodes
 * - `redis+sentinel://user:password@a:26379,b:26379/mymaster/0?sentinel_password=…`: a master, by its sentinels
 *
 * `rediss` instead of `redis` is TLS, to the sentinels as well.
 *
 * @throws {RedisAddressError}
 */
export function parseRedisAddress(url: string): RedisAddress {
  if (/^rediss?:\/\//.test(url)) return server(url);
  const parts = SEVERAL.exec(url)?.groups;
  if (!parts) throw new RedisAddressError(/^rediss?\+(cluster|sentinel):\/\//.test(url) ? ENCODE : undefined);
  const kind = parts['kind'] === 'cluster' ? 'cluster' : 'sentinel';
  const nodes = (parts['nodes'] ?? '').split(',').map((node) => nodeOf(node, PORTS[kind]));
  const common = { tls: parts['tls'] === 's', nodes, ...loginOf(parts['login'] ?? '') };
  const path = (parts['path'] ?? '').split('/');
  const query = new URLSearchParams(parts['query']);
  if (kind === 'sentinel') return { kind, ...common, ...masterOf(path), sentinel: sentinelLoginOf(query) };
  if (path.join('') !== '')
    throw new RedisAddressError('a cluster has no databases: no path may follow the nodes');
  noOther(query, []);
  return { kind, ...common };
}

function server(url: string): RedisAddress {
  if (!URL.canParse(url))
    throw new RedisAddressError('several nodes need redis+cluster:// or redis+sentinel://');
  return { kind: 'server', url };
}

function nodeOf(text: string, standardPort: number): RedisNode {
  if (!URL.canParse(`redis://${text}`)) throw new RedisAddressError('a node is not host:port');
  const { hostname, port } = new URL(`redis://${text}`);
  if (hostname === '') throw new RedisAddressError('a node has no host');
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port || standardPort) };
}

function loginOf(text: string): Login {
  const colon = text.indexOf(':');
  return login(
    decoded(colon < 0 ? text : text.slice(0, colon)),
    decoded(colon < 0 ? '' : text.slice(colon + 1)),
  );
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new RedisAddressError('user or password has a % that is not %25');
  }
}

const login = (username: string, password: string): Login => ({
  ...(username && { username }),
  ...(password && { password }),
});

function masterOf([master = '', db = '0', ...more]: readonly string[]) {
  if (master === '')
    throw new RedisAddressError("the master's name must follow the sentinels, as in /mymaster");
  if (!/^\d+$/.test(db) || more.length > 0)
    throw new RedisAddressError(
      "only the number of a database may follow the master's name, as in /mymaster/0",
    );
  return { master: decoded(master), db: Number(db) };
}

function sentinelLoginOf(query: URLSearchParams): Login {
  noOther(query, SENTINEL_LOGIN);
  const [username = '', password = ''] = SENTINEL_LOGIN.map((name) => query.get(name) ?? '');
  return login(username, password);
}

function noOther(query: URLSearchParams, known: readonly string[]): void {
  for (const name of query.keys())
    if (!known.includes(name))
      throw new RedisAddressError(
        known.length > 0 ? `its only parameters are ${known.join(' and ')}` : 'it takes no parameters',
      );
}
