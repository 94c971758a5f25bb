import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('docs/durability.md names a test that exists for every sentence', () => {
  const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('durability.test.ts'))
    .map((path) => read(join('test', path)))
    .join('\n');
  const rows = read('docs/durability.md').match(/^\|.*\|$/gm) ?? [];
  const sentences = rows.filter((row) => !/^\| (-|what happens )/.test(row));
  expect(sentences.length).toBeGreaterThan(20);
  for (const row of sentences) {
    const [, name] = /`([^`]+)` +\|$/.exec(row) ?? [];
    expect(name, row).toBeDefined();
    expect(tests, row).toContain(name);
  }
});
