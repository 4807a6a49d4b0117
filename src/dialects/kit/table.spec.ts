import { finishOf } from '../anthropic-messages/reply.js';
import { decodeAnswer as decodeConverse } from '../bedrock-converse/reply.js';
import { decodeAnswer as decodeCohere } from '../cohere/reply.js';
import { decodeRefusal } from '../gemini/errors.js';
import { finishReason } from '../openai-chat/upstream/finish-reason.js';
import { table } from './table.js';

/** What every object has. */
const WORDS = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];
const json = (value: object) => Buffer.from(JSON.stringify(value));

test.each(WORDS)('"%s" stands in no table', (word) => {
  expect(table({ a: 1 })[word]).toBeUndefined();
  expect(table({ a: 1 })['a']).toBe(1);
});

test.each(WORDS)('"%s" is no reason for an end that anybody knows', (word) => {
  expect([finishOf(word), finishReason(word)]).toEqual(['stop', 'stop']);
  expect(decodeConverse(json({ output: { message: {} }, stopReason: word })).at(-1)).toMatchObject({ reason: 'stop', native: word });
  expect(decodeCohere(json({ message: {}, finish_reason: word })).at(-1)).toMatchObject({ reason: 'stop', native: word });
});

test.each(WORDS)('"%s" is no class of failure', (word) => {
  expect(decodeRefusal(500, json({ error: { status: word, message: 'no' } })).class).toBe('server');
});
