import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { DialectName, SurfaceName, UpstreamRequest } from '../../src/dialects/dialect.js';
import { conversationIn, type Quirks } from '../../src/dialects/index.js';
import { WeirError } from '../../src/kernel/errors.js';
import { type Field, NOTHING_LOST, SURFACES } from './request-fields.js';

/** Each format of a provider, with models that take different fields in it. */
const COLUMNS: Readonly<Record<string, { dialect: DialectName; model: string; quirks?: Quirks }>> = {
  'chat, gpt-4.1': { dialect: 'openai-chat', model: 'gpt-4.1' },
  'chat, gpt-5': { dialect: 'openai-chat', model: 'gpt-5' },
  'chat, other servers': { dialect: 'openai-chat', model: 'llama-4', quirks: { thinking: 'none' } },
  completions: { dialect: 'openai-completions', model: 'gpt-3.5-turbo-instruct' },
  'Responses, gpt-4.1': { dialect: 'openai-responses', model: 'gpt-4.1' },
  'Responses, gpt-5': { dialect: 'openai-responses', model: 'gpt-5' },
  'Messages, claude-sonnet-4-5': { dialect: 'anthropic-messages', model: 'claude-sonnet-4-5' },
  'Messages, claude-3-haiku': { dialect: 'anthropic-messages', model: 'claude-3-haiku-20240307' },
  'Gemini, gemini-3-flash': { dialect: 'gemini', model: 'gemini-3-flash' },
  'Gemini, gemini-2.0-flash': { dialect: 'gemini', model: 'gemini-2.0-flash' },
  'Bedrock, claude-sonnet-4-5': { dialect: 'bedrock-converse', model: 'anthropic.claude-sonnet-4-5-20250929-v1:0' },
  'Bedrock, llama3': { dialect: 'bedrock-converse', model: 'meta.llama3-1-70b-instruct-v1:0' },
  'Ollama, qwen3': { dialect: 'ollama', model: 'qwen3' },
  'Ollama, llama3': { dialect: 'ollama', model: 'llama3' },
  'Cohere, command-a-reasoning': { dialect: 'cohere', model: 'command-a-reasoning-08-2025' },
  'Cohere, command-r': { dialect: 'cohere', model: 'command-r' },
  'Workers AI': { dialect: 'workers-ai', model: '@cf/meta/llama-3.1-8b-instruct' },
};

/** What became of a field. */
type Fate = 'mapped' | 'changed' | 'left out' | 'refused' | 'silent';
const SIGNS: Readonly<Record<Fate, string>> = { mapped: '✓', changed: '✓ w', 'left out': 'w', refused: '400', silent: '–' };

const IDENTITY = { id: 'x1', createdAt: 5, model: 'm' };

function encode(surface: SurfaceName, column: keyof typeof COLUMNS, body: object): UpstreamRequest {
  const { dialect, model, quirks = {} } = COLUMNS[column]!;
  const format = conversationIn(surface);
  const prompt = format.decodeRequest(structuredClone(body), 500);
  const way = format.open(prompt, { dialects: [dialect], thinkingLevel: null, quirks }, { ...IDENTITY, model });
  return way.translation.encodeRequest({ model, maxOutputTokens: prompt.maxOutputTokens ?? 4096, thinkingLevel: null, quirks });
}

/** All of a request that the provider, or the reading of its reply, can tell from another. */
const seen = ({ path, headers, body, reply }: UpstreamRequest): string => JSON.stringify([path, headers, body, reply]);

function fateOf(surface: SurfaceName, field: Field, column: keyof typeof COLUMNS): Fate {
  const own = field.path.replace(/:.*/, '').split('.').at(-1)!;
  const names = new RegExp(`\\b(${[own, ...(field.names ?? [])].join('|')})\\b`, 'i');
  const encoded = (body: object): UpstreamRequest | WeirError => orRefusal(() => encode(surface, column, body));
  const [without, sent] = [encoded(field.without), encoded(field.body)];
  // What it stands in is refused already.
  if (without instanceof WeirError) return 'refused';
  if (sent instanceof WeirError) {
    if (!names.test(`${sent.param} ${sent.message}`)) throw new Error(`${field.path}: the refusal does not name it: ${sent.message}`);
    return 'refused';
  }
  const named = sent.warnings.filter((warning) => names.test(warning));
  if (seen(sent) === seen(without)) return named.length > 0 ? 'left out' : 'silent';
  return named.some((warning) => !without.warnings.includes(warning)) ? 'changed' : 'mapped';
}

function orRefusal(encode: () => UpstreamRequest): UpstreamRequest | WeirError {
  try {
    return encode();
  } catch (error) {
    if (error instanceof WeirError && error.code === 'invalid_request') return error;
    throw error;
  }
}

const isNothingLost = (surface: SurfaceName, { path }: Field, column: string): boolean =>
  NOTHING_LOST.some((entry) => entry.surface.includes(surface) && entry.path.test(path) && entry.columns.test(column));

describe.each(SURFACES)('$title', ({ surface, fields, types }) => {
  test('every field of the published schema is tried', () => {
    const tried = new Set(fields.map(({ path }) => path.replace(/[ :].*/, '')));
    const published = types.flatMap(({ file, name, at }) =>
      membersOf(file, name).map((member) => (at === '' ? member : `${at}.${member}`)),
    );
    expect(published.length).toBeGreaterThan(20);
    const isTried = (path: string) => tried.has(path) || [...tried].some((one) => one.startsWith(`${path}.`));
    expect(published.filter((path) => path !== 'model' && !isTried(path))).toEqual([]);
  });

  test('nothing is lost in silence', () => {
    const silent = (field: Field) =>
      Object.keys(COLUMNS).filter((column) => fateOf(surface, field, column) === 'silent' && !isNothingLost(surface, field, column));
    const lost = fields.map((field) => ({ path: field.path, on: silent(field) })).filter(({ on }) => on.length > 0);
    expect(lost.map(({ path, on }) => `${path} on the way to ${on.join('; ')}`)).toEqual([]);
  });
});

test.each(NOTHING_LOST)('$said: something is excused by it', ({ surface, path, columns }) => {
  const isExcused = ({ surface: name, fields }: (typeof SURFACES)[number]): boolean =>
    surface.includes(name) &&
    fields.some(
      (field) => path.test(field.path) && Object.keys(COLUMNS).some((one) => columns.test(one) && fateOf(name, field, one) === 'silent'),
    );
  expect(SURFACES.some(isExcused)).toBe(true);
});

/** The members of an interface in a declaration file of an installed package. */
function membersOf(file: string, name: string): string[] {
  const path = join(__dirname, '..', '..', 'node_modules', file);
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  const members: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) && node.name.text === name) {
      for (const member of node.members) if (member.name) members.push((member.name as ts.Identifier).text);
    } else ts.forEachChild(node, visit);
  };
  visit(source);
  return members;
}

const PAGE = join(__dirname, '..', '..', 'docs', 'request-fields.md');

test('the page of all fields says what happens', () => {
  const page = renderPage();
  if (process.env['UPDATE'] === '1') writeFileSync(PAGE, page);
  expect(existsSync(PAGE) && readFileSync(PAGE, 'utf8')).toBe(page);
});

function renderPage(): string {
  const columns = Object.keys(COLUMNS);
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const tables = SURFACES.map(({ surface, title, fields }) =>
    [
      `## ${title}\n`,
      row(['Field', ...columns]),
      row(['Field', ...columns].map(() => '---')),
      ...fields.map((field) => row([`\`${field.path}\``, ...columns.map((column) => SIGNS[fateOf(surface, field, column)])])),
    ].join('\n'),
  );
  const reasons = NOTHING_LOST.map(({ said, why }) => `- ${said}: ${why}`);
  return [
    '# Request fields',
    'This page shows how Weir treats each field of a request, by the format that it uses with the provider. `test/contract/request-fields.spec.ts` writes this page from the results of the conversion. To write it again, run `UPDATE=1 npm test -- test/contract/request-fields.spec.ts`. See [wire formats](dialects.md).',
    '| Sign | Meaning |\n| --- | --- |\n| ✓ | passed on, or mapped to a field of the provider |\n| ✓ w | mapped in part; `x-weir-warnings` names the change |\n| w | left out; `x-weir-warnings` names it |\n| 400 | refused, because the answer would be different |\n| – | not sent, and nothing is lost: see the end of the page |',
    ...tables,
    '## Not sent, and nothing is lost',
    reasons.join('\n'),
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}
