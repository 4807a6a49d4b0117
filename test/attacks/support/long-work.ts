import { createPrivateKey, randomBytes } from 'node:crypto';

const number = (bits: number) => {
  const bytes = randomBytes(bits / 8);
  bytes[0]! |= 0x80;
  bytes[bytes.length - 1]! |= 1;
  return bytes.toString('base64url');
};

/** A key of any size. Nobody checks that its primes are some. */
export function hugeRsaKey(bits: number): string {
  const half = () => number(bits / 2);
  const jwk = { kty: 'RSA', e: 'AQAB', n: number(bits), d: number(bits), p: half(), q: half(), dp: half(), dq: half(), qi: half() };
  return createPrivateKey({ key: jwk, format: 'jwk' }).export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Text that takes the tokenizers longest: letters of which few stand together in their tables. */
export const odd = (length: number) => Array.from({ length }, (_, at) => String.fromCodePoint(0x10d0 + ((at * 7919) % 33))).join('');
export const members = (count: number, entry: (at: number) => unknown = () => 0) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`k${at}`, entry(at)]));
export const event = (delta: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`;
export const completion = (message: object) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop' }],
});
export const END = `${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`;
/** An event of Responses, a piece of its text, and its end. */
export const responded = (event: object) => `data: ${JSON.stringify(event)}\n\n`;
export const said = (delta: string) => responded({ type: 'response.output_text.delta', output_index: 0, content_index: 0, delta });
export const RESPONDED = responded({ type: 'response.completed', response: { id: 'r', status: 'completed', output: [] } });
export const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];

/** What a coding agent sends late in its day: hundreds of messages with code, calls and results, and its tools. */
export const session = () => ({
  max_tokens: 20,
  messages: Array.from({ length: 500 }, (_, at) =>
    at % 2 === 0
      ? { role: 'user', content: [{ type: 'tool_result', tool_use_id: `toolu_${at}`, content: 'const a = "b";\n'.repeat(200) }] }
      : {
          role: 'assistant',
          content: [
            { type: 'text', text: 'Now I read the next file.' },
            { type: 'tool_use', id: `toolu_${at + 1}`, name: 'tool_1', input: { path: '/src/a.ts', offset: at, limit: 200 } },
          ],
        },
  ),
  tools: Array.from({ length: 60 }, (_, at) => ({
    name: `tool_${at}`,
    description: 'Reads a file.\n'.repeat(40),
    input_schema: {
      type: 'object',
      properties: members(8, () => ({ type: 'string', description: 'A path.', enum: ['a', 'b'] })),
      required: ['k0'],
    },
  })),
});
