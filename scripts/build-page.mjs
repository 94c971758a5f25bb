// Bundles src/page for browsers into dist/page, each file compressed as well. Part of the build.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const source = fileURLToPath(new URL('../src/page', import.meta.url));
const target = fileURLToPath(new URL('../dist/page', import.meta.url));

const { outputFiles } = await build({
  entryPoints: [
    { in: `${source}/main.ts`, out: 'page' },
    { in: `${source}/page.css`, out: 'page' },
  ],
  outdir: target,
  bundle: true,
  minify: true,
  write: false,
  format: 'esm',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  legalComments: 'none',
  logLevel: 'warning',
});

/** What did not change is left alone: a process may be reading it. */
function write(path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  writeFileSync(path, contents);
}

mkdirSync(target, { recursive: true });
const files = [
  ...outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]),
  ['index.html', readFileSync(`${source}/index.html`)],
];
for (const [name, contents] of files) {
  write(`${target}/${name}`, contents);
  write(`${target}/${name}.gz`, gzipSync(contents, { level: 9 }));
  write(`${target}/${name}.br`, brotliCompressSync(contents));
}
