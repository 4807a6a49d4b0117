import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { RequestPipe } from '../../src/control/http/request.pipe.js';
import { WeirError } from '../../src/kernel/errors.js';
import { repeatedKey } from '../../src/kernel/json-scan.js';
import { Random, sizeOf } from '../support/random.js';
import { mutateJson } from './mutate.js';
import { Turns } from './turns.js';

type Json = unknown;

const DIRECTORY = join(__dirname, '..', '..', 'src', 'control');
/** Schemas stand with their nouns, in files that have no role. */
const FILES = readdirSync(DIRECTORY, { recursive: true, encoding: 'utf8' }).filter((file) => /^(?!http\/)[a-z-]+\/[a-z-]+\.ts$/.test(file));
const SEED = 20_261_128;

/** Every object that the admin REST takes or gives. */
const SCHEMAS: [string, z.ZodObject][] = FILES.flatMap((file) =>
  Object.entries(require(join(DIRECTORY, file)) as Record<string, unknown>).flatMap(([name, schema]): [string, z.ZodObject][] => {
    const object = schema instanceof z.ZodPipe ? schema.in : schema;
    return object instanceof z.ZodObject ? [[`${file} ${name}`, schema as z.ZodObject]] : [];
  }),
);

const shapeOf = (schema: z.ZodObject): string[] => {
  const object = (schema as unknown) instanceof z.ZodPipe ? ((schema as unknown as z.ZodPipe).in as z.ZodObject) : schema;
  return Object.keys(object.shape);
};

/** What a field may be sent as. */
const VALUES: Json[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  '',
  'a',
  '*',
  '1.00',
  'tenant',
  'openai',
  'https://a.b/v1',
  'http://[::1]',
  '\ud800',
  '\u0000',
  'x'.repeat(20_000),
  '9'.repeat(400),
  'a:b',
  '%',
  '../..',
  '2026-12-01T00:00:00Z',
  [],
  {},
  [null],
  ['a', 'a'],
  { kind: 'tenant' },
  { kind: 'model', value: 'up/m' },
  { type: 'headers', headers: { a: 'b' } },
  { type: 'service_account', private_key: '-----BEGIN' },
  Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`k${at}`, at])),
];

/** Null: it is taken, or refused with a clear error, soon. */
async function faultOf(schema: z.ZodObject, body: Json): Promise<string | null> {
  const turns = new Turns();
  do {
    try {
      await turns.turn(() => new RequestPipe().transform(body, { type: 'body', schema } as never));
    } catch (error) {
      if (!(error instanceof WeirError) || error.code !== 'invalid_request') return String(error);
      if (error.message.length > 2_000) return 'the refusal is too long';
    }
  } while (turns.isUnsure());
  return turns.fault;
}

test('whatever an admin sends is taken or refused, and holds the event loop for no more than 50 ms', async () => {
  const run = new Random(SEED);
  expect(SCHEMAS.length).toBeGreaterThan(20);
  const found: object[] = [];
  for (let at = 0; at < sizeOf('FUZZ_CASES', 2_000); at++) {
    const random = run.branch(at);
    const [name, schema] = random.pick(SCHEMAS);
    const plain = Object.fromEntries(shapeOf(schema).flatMap((field) => (random.chance(0.7) ? [[field, random.pick(VALUES)]] : [])));
    const body = random.chance(0.5) ? mutateJson(plain, random.pick(VALUES), random) : plain;
    const fault = await faultOf(schema, body);
    if (fault) found.push({ name, fault, body: JSON.stringify(body)?.slice(0, 500) });
  }
  expect(found).toEqual([]);
}, 60_000);

/** As long as a body may be, of what is dear to look through. */
const LONG: [string, string, boolean][] = [
  ['a list of objects', `[${'{"a":1},'.repeat(116_000)}1]`, false],
  ['a list of lists', `[${'[],'.repeat(349_000)}1]`, false],
  ['backslashes', `["${'\\\\'.repeat(520_000)}"]`, false],
  ['quotes', `["${'\\"'.repeat(520_000)}"]`, false],
  ['as many names as a tenant may send', `{${Array.from({ length: 5_000 }, (_, at) => `"${at}${'n'.repeat(70)}":1`).join()}}`, false],
  ['one name, again and again', `{${'"a":1,'.repeat(174_000)}"b":1}`, true],
  ['a name that comes again at the end', `[${'{"a":1},'.repeat(116_000)}{"a":1,"a":1}]`, true],
];

test.each(LONG)(
  'a body of %s is looked through for a key twice, and holds the event loop for no more than 50 ms',
  (_what, text, repeats) => {
    expect(text.length).toBeLessThanOrEqual(1024 * 1024);
    const turns = new Turns();
    do {
      turns.turn(() => JSON.parse(text));
      const work = repeatedKey(text);
      let next: IteratorResult<void, string | null>;
      do next = turns.turn(() => work.next());
      while (!next.done);
      expect(next.value).toBe(repeats ? 'a' : null);
    } while (turns.isUnsure());
    expect(turns.fault).toBeNull();
  },
);
