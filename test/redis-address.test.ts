import { expect, test } from 'vitest';
import { parseRedisAddress } from '../src/shared/redis-address.js';

test.each([
  ['redis://me:pw@a:6380/2', { kind: 'server', url: 'redis://me:pw@a:6380/2' }],
  [
    'redis+cluster://me:p%40w@a:7000,b,[::1]:7002/',
    {
      kind: 'cluster',
      tls: false,
      nodes: [
        { host: 'a', port: 7_000 },
        { host: 'b', port: 6_379 },
        { host: '::1', port: 7_002 },
      ],
      username: 'me',
      password: 'p@w',
    },
  ],
  [
    'rediss+cluster://:pw@a.example.com:6379',
    { kind: 'cluster', tls: true, nodes: [{ host: 'a.example.com', port: 6_379 }], password: 'pw' },
  ],
  [
    'rediss+sentinel://me:pw@s1,s2:26380/my%20master/3?sentinel_username=you&sentinel_password=p%26w',
    {
      kind: 'sentinel',
      tls: true,
      nodes: [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      username: 'me',
      password: 'pw',
      master: 'my master',
      db: 3,
      sentinel: { username: 'you', password: 'p&w' },
    },
  ],
])('an address of Redis is read whole: %s', (url, address) => {
  expect(parseRedisAddress(url)).toEqual(address);
});
