import type { SurfaceName } from '../../src/dialects/dialect.js';
import { formatRig } from '../support/format-rig.js';
import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { json } from '../support/upstream.js';
import { type Field, SURFACES } from './request-fields.js';

jest.setTimeout(120_000);

const PATHS: Partial<Record<SurfaceName, string>> = {
  'openai-chat': '/v1/chat/completions',
  'openai-responses': '/v1/responses',
  'anthropic-messages': '/v1/messages',
};
/** What a field may be sent as, of every kind that JSON has. */
const VALUES = [null, true, -1, 1.5, 2 ** 53, '', 'x', [], [null], ['x'], [{}], {}, { type: 'x' }, { x: [{}] }];
const AT_ONCE = 8;

const rig = formatRig();

/** A field as it is meant, and as each of these values. */
function bodiesOf({ path, body }: Field, values: unknown[]): object[] {
  const own = path.replace(/[ :.[].*/, '');
  return [body, ...values.map((value) => ({ ...body, [own]: value }))];
}

/** Every value goes to one of the formats; to all, where asked for. */
const valuesFor = (format: number, formats: number): unknown[] =>
  process.env['REQUEST_VALUES'] === 'all' ? VALUES : VALUES.filter((_, at) => at % formats === format);

const CELLS = SURFACES.flatMap(({ surface, title, fields }) =>
  Object.entries(REPLY_FORMATS).map(([name, format]: [string, ReplyFormat], at, all) => ({
    surface,
    title,
    bodies: fields.flatMap((field) => bodiesOf(field, valuesFor(at, all.length))),
    name,
    format,
  })),
);

test.each(CELLS)('$title: whatever is in a field, it is answered or refused by a provider that speaks $name', async (cell) => {
  const { surface, bodies, name, format } = cell;
  const says = format.says({ text: 'Hello to you.', usage: { input: 5, cacheRead: 0, output: 3 } });
  rig.upstream.script = async (call, response) => {
    try {
      await says(call, response);
    } catch {
      await json(400, { error: { message: 'I cannot read that.' } })(call, response);
    }
  };
  const model = `${name}/${format.model}`;
  const asked = new Set(bodies.map((body) => JSON.stringify({ ...body, model })));
  const [failed, answered]: [string[], string[]] = [[], []];
  const waiting = [...asked];
  const send = async (): Promise<void> => {
    for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
      const headers = { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' };
      const response = await fetch(rig.weir.publicUrl + PATHS[surface]!, { method: 'POST', headers, body: text });
      const reply = await response.text();
      if (response.status === 200) answered.push(text);
      else if (response.status !== 400) failed.push(`${response.status} ${reply} to ${text}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, send));
  expect(failed).toEqual([]);
  expect(answered.length).toBeGreaterThan(asked.size / 4);
});
