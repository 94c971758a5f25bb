// Writes docs/api.md out of the API's description of itself; with --check only says whether it is up to date. Needs the
// build.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { describeApi } from '../dist/api/openapi.js';

const page = fileURLToPath(new URL('../docs/api.md', import.meta.url));
const { info, paths, components } = describeApi({ version: '', crash: true, live: true });

const resolve = (part) =>
  part?.$ref
    ? part.$ref
        .slice(2)
        .split('/')
        .reduce((value, key) => value[key], { components })
    : part;
const nameOf = ({ $ref }) => $ref?.split('/').at(-1);
const cell = (text) => String(text ?? '').replaceAll('|', '\\|');
const row = (...cells) => `| ${cells.map(cell).join(' | ')} |`;
const table = (heads, rows) =>
  rows.length === 0 ? [] : ['', row(...heads), row(...heads.map(() => '---')), ...rows];

/** A schema in a few words, with links to those that have a name. */
function typeOf(schema) {
  const name = nameOf(schema);
  if (name) return `[${name}](#${name.toLowerCase()})`;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.type === 'array') return `array of ${typeOf(schema.items)}`;
  return [schema.type, schema.format].filter(Boolean).join(', ');
}

function headersOf(headers = {}) {
  return Object.entries(headers)
    .filter(([, header]) => !header.$ref)
    .map(([name, { schema }]) =>
      schema.const === undefined ? `\`${name}\`` : `\`${name}: ${schema.const}\``,
    )
    .join(', ');
}

function answerRow(status, { description, headers, content }) {
  const [[type, { schema }]] = Object.entries(content);
  const body = nameOf(schema) ? typeOf(schema) : `\`${type}\``;
  return row(status, description, headersOf(headers), body);
}

function operation(
  path,
  method,
  { summary, description, parameters = [], requestBody, responses, security },
) {
  const own = parameters.filter(({ $ref }) => !$ref);
  const body = requestBody?.content['application/json'].schema;
  return [
    `## \`${method.toUpperCase()} ${path}\``,
    '',
    `${summary}.${description ? ` ${description}` : ''}`,
    ...(security
      ? ['', 'Header `Authorization: Bearer <CHAOS_TOKEN>`; without `CHAOS_TOKEN` there is no such path.']
      : []),
    ...(body
      ? [
          '',
          `Body: \`application/json\`, ${typeOf(body)}, such as \`${JSON.stringify(resolve(body).examples[0])}\`.`,
        ]
      : []),
    ...table(
      ['parameter', 'in', 'type', 'default', 'what it is'],
      own.map(({ name, in: place, schema, description: what }) =>
        row(`\`${name}\``, place, typeOf(schema), schema.default && `\`${schema.default}\``, what),
      ),
    ),
    ...table(
      ['status', 'what it means', 'headers', 'body'],
      Object.entries(responses).map(([status, response]) => answerRow(status, response)),
    ),
    '',
  ];
}

function schemaSection(name, { description, properties, required = [] }) {
  return [
    `### ${name}`,
    ...(description ? ['', description] : []),
    ...table(
      ['field', 'type', 'what it is'],
      Object.entries(properties).map(([field, schema]) =>
        row(
          `\`${field}\`${required.includes(field) ? '' : ' (not always)'}`,
          typeOf(schema),
          schema.description,
        ),
      ),
    ),
    '',
  ];
}

const [requestId] = Object.values(components.parameters);
const [answered] = Object.values(components.headers);
const text = [
  '# The HTTP API',
  '',
  info.description,
  '',
  'This page is made out of the OpenAPI 3.1 document at `GET /openapi.json`, by `node scripts/api-docs.mjs`.',
  '',
  `Every request may have an \`${requestId.name}\`: ${requestId.description} Every answer has one: ${answered.description}`,
  '',
  ...Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, described]) => operation(path, method, described)),
  ),
  '## Everywhere else',
  ...table(
    ['status', 'what it means', 'headers', 'body'],
    [answerRow(404, components.responses.NotFound), answerRow(405, components.responses.MethodNotAllowed)],
  ),
  '',
  '## Schemas',
  '',
  ...Object.entries(components.schemas).flatMap(([name, schema]) => schemaSection(name, schema)),
].join('\n');
const written = await format(text, { ...(await resolveConfig(page)), parser: 'markdown' });
if (!existsSync(page) || readFileSync(page, 'utf8') !== written) {
  if (process.argv.includes('--check')) {
    process.stderr.write('docs/api.md is older than the API: npm run build && node scripts/api-docs.mjs\n');
    process.exitCode = 1;
  } else writeFileSync(page, written);
}
