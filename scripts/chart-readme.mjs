// Writes the table of values into the chart's README, out of the comments in values.yaml; with --check only says whether
// it is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { isMap, parseDocument } from 'yaml';

const chart = fileURLToPath(new URL('../charts/tally/', import.meta.url));
const readme = `${chart}README.md`;
const [BEGIN, END] = ['<!-- values -->', '<!-- end of values -->'];

/** A row for each value: its path, its default, and the comment before it. */
function rowsOf(map, path = [], comment = '') {
  return map.items.flatMap(({ key, value }) => {
    const here = [...path, key.value];
    const said =
      key.commentBefore ?? (here.length > 1 && map.items[0].key === key ? map.commentBefore : '') ?? '';
    const words = said.split('\n').map((line) => line.trim());
    const text = words.slice(words.lastIndexOf('') + 1).join(' ') || comment;
    if (isMap(value) && value.items.length > 0 && !value.flow && !text.startsWith('CPU and memory'))
      return [...(text ? [`| **\`${here.join('.')}\`** | | ${text} |`] : []), ...rowsOf(value, here)];
    if (!text) throw new Error(`values.yaml says nothing of ${here.join('.')}`);
    return [
      `| \`${here.join('.')}\` | \`${JSON.stringify(value.toJSON())}\` | ${text.replaceAll('|', '\\|')} |`,
    ];
  });
}

const values = parseDocument(readFileSync(`${chart}values.yaml`, 'utf8'));
const old = readFileSync(readme, 'utf8');
const table = ['| value | default | what it is |', '| --- | --- | --- |', ...rowsOf(values.contents)].join(
  '\n',
);
const [before] = old.split(BEGIN);
const after = old.split(END)[1] ?? '\n';
const text = `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
const written = await format(text, { ...(await resolveConfig(readme)), parser: 'markdown' });
if (written !== old) {
  if (process.argv.includes('--check')) {
    process.stderr.write('charts/tally/README.md is older than values.yaml: node scripts/chart-readme.mjs\n');
    process.exitCode = 1;
  } else writeFileSync(readme, written);
}
