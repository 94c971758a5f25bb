import formats from 'ajv-formats';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { oas31 } from 'zod-openapi';
import { describeApi } from '../src/api/openapi.js';

/** The whole of it, `POST /crash` and `/live` included. */
export const DESCRIPTION = describeApi({ version: '1.2.3', crash: true, live: true });

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'] as const;

/** An answer as a client sees it; `json` is what its text reads as, and of other types the text itself. */
interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

interface DescribedAnswer {
  readonly name: string;
  readonly pointer: string;
  readonly response: oas31.ResponseObject;
}

/** Every answer that is described, by its name: `POST /sum 200`. */
export const DESCRIBED = new Map(
  Object.entries(DESCRIPTION.paths ?? {}).flatMap(([path, item]) =>
    METHODS.flatMap((method) =>
      Object.entries(item[method]?.responses ?? {}).map(([status, response]): [string, DescribedAnswer] => {
        const name = `${method.toUpperCase()} ${path} ${status}`;
        const pointer = ['paths', path, method, 'responses', status].map(token).join('/');
        return [name, { name, pointer, response: response as oas31.ResponseObject }];
      }),
    ),
  ),
);

/** What is answered where nothing is described. */
const ELSEWHERE = {
  404: 'NotFound',
  405: 'MethodNotAllowed',
} as const;

const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
formats.default(ajv);
// As strict as can be, so that a field that nobody described is found.
ajv.addSchema(closed(DESCRIPTION) as object, 'openapi');

/** What an answer has other than the description says; empty when it is as described. */
export function otherThanDescribed(method: string, path: string, answer: Answer): string[] {
  const described = answerOf(method.toUpperCase(), new URL(path, 'http://api').pathname, answer.status);
  if (!described) return [`${method} ${path} is not described to answer ${answer.status}`];
  const wrong = [...wrongHeaders(described, answer.headers)];
  if (method.toUpperCase() !== 'HEAD') wrong.push(...wrongBody(described, answer));
  return wrong.map((fault) => `${described.name}: ${fault}`);
}

/** @throws {Error} when an answer is other than the description says. */
export function requireAsDescribed(method: string, path: string, answer: Answer): void {
  const faults = otherThanDescribed(method, path, answer);
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

function answerOf(method: string, path: string, status: number): DescribedAnswer | undefined {
  const template = Object.keys(DESCRIPTION.paths ?? {}).find((one) => matches(one, path));
  const asked = method === 'HEAD' ? 'GET' : method;
  const methods = [...DESCRIBED.keys()].filter((name) => name.split(' ')[1] === template);
  if (template && methods.some((name) => name.startsWith(`${asked} `)))
    return DESCRIBED.get(`${asked} ${template} ${status}`);
  if (status !== (template ? 405 : 404)) return undefined;
  const name = ELSEWHERE[status];
  const response = DESCRIPTION.components?.responses?.[name] as oas31.ResponseObject;
  return { name, pointer: `components/responses/${name}`, response };
}

function matches(template: string, path: string): boolean {
  const given = path.split('/');
  const parts = template.split('/');
  return (
    parts.length === given.length &&
    parts.every((part, n) => (part.startsWith('{') ? given[n] !== '' : part === given[n]))
  );
}

function* wrongHeaders({ pointer, response }: DescribedAnswer, headers: Headers): Generator<string> {
  for (const [name, header] of Object.entries(response.headers ?? {})) {
    const common = '$ref' in header;
    const described = (common ? DESCRIPTION.components?.headers?.[name] : header) as oas31.HeaderObject;
    const at = common ? 'components' : pointer;
    const value = headers.get(name);
    if (value !== null)
      yield* faultsOf(`${at}/headers/${name}/schema`, value).map((one) => `${name}: ${one}`);
    else if (described.required) yield `has no ${name}`;
  }
}

function* wrongBody({ pointer, response }: DescribedAnswer, { headers, json }: Answer): Generator<string> {
  const type = headers.get('Content-Type') ?? '';
  if (response.content?.[type]) yield* faultsOf(`${pointer}/content/${token(type)}/schema`, json);
  else yield `is of type "${type}"`;
}

function faultsOf(pointer: string, value: unknown): string[] {
  const validate = ajv.getSchema(`openapi#/${pointer}`) as ValidateFunction;
  return validate(value) ? [] : [ajv.errorsText(validate.errors)];
}

/** A part of a JSON pointer in the fragment of a URI. */
function token(part: string): string {
  return encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function closed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(closed);
  const open = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, closed(part)]));
  return open['type'] === 'object' && open['properties'] ? { ...open, additionalProperties: false } : open;
}
