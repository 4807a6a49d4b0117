import { tmpdir } from 'node:os';
import { type ConfigError, readConfig } from './index.js';

const read = (text?: string) => readConfig(text === undefined ? {} : { WEIR_EGRESS_PROXY: text }, tmpdir()).egressProxy;
const shown = (text: string) => Buffer.from(read(text)!.authorization!.reveal().replace('Basic ', ''), 'base64').toString();

test('there is no proxy unless it is named', () => expect(read()).toBeNull());

test.each([
  ['http://proxy.example:3128', 'proxy.example', 3128],
  ['http://10.0.0.1:80/', '10.0.0.1', 80],
  ['http://[fd12::1]:3128', 'fd12::1', 3128],
])('%s', (text, host, port) => expect(read(text)).toEqual({ host, port, authorization: null }));

test('user and password are decoded, and shown as Basic', () => {
  expect(shown('http://weir:p%40ss%2Fw%C3%B6rd%3A%25@proxy.example:3128')).toBe('weir:p@ss/wörd:%');
  expect(shown('http://weir@proxy.example:3128')).toBe('weir:');
});

test.each([
  'proxy.example:3128',
  'http://proxy.example',
  'https://proxy.example:3128',
  'socks5://proxy.example:1080',
  'http://proxy.example:0',
  'http://proxy.example:70000',
  'http://proxy.example:3128/path',
  'http://proxy.example:3128?x',
  'http://:hunter2@proxy.example:3128',
  'http://weir:hunter2:hunter2@proxy.example:3128',
  'http://weir:hunter2/@proxy.example:3128',
  'http://weir:hunter2%zz@proxy.example:3128',
  'http://weir:hunter2@:3128',
  'http://we ir:hunter2@proxy.example:3128',
  'http://weir:hunter2@[::1:3128',
])('%s is refused by a line that says how to write it, and does not repeat it', (text) => {
  const faults = () => {
    try {
      return [read(text)];
    } catch (error) {
      return (error as ConfigError).faults;
    }
  };
  expect(faults()).toEqual([expect.stringMatching(/^WEIR_EGRESS_PROXY must be http:\/\/host:port or http:\/\/user:password@host:port;/)]);
  expect(String(faults())).not.toContain('hunter2');
});
