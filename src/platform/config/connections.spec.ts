import { tmpdir } from 'node:os';
import { readConfig } from './config.js';

const read = (text?: string) => readConfig(text === undefined ? {} : { WEIR_CONNECTIONS: text }, tmpdir()).connections;

test('no type of provider is connected by login unless it is named, with a client id', () => {
  expect(read()).toEqual({});
  expect(read('{"copilot": {"client_id": "abc"}, "qwen-code": {"client_id": "def", "login_url": "https://login.example/path"}}')).toEqual({
    copilot: { clientId: 'abc', loginOrigin: null },
    'qwen-code': { clientId: 'def', loginOrigin: 'https://login.example' },
  });
});

test.each([
  ['copilot', /WEIR_CONNECTIONS must be JSON such as/],
  ['{"copilto": {"client_id": "abc"}}', /WEIR_CONNECTIONS must name copilot, openai-codex, minimax-oauth or qwen-code/],
  ['{"copilot": {}}', /WEIR_CONNECTIONS needs a "client_id" for each type/],
  ['{"copilot": {"client_id": "abc", "login_url": "ftp://x"}}', /WEIR_CONNECTIONS must be a URL starting with https:/],
])('%s is refused, saying what to do', (text, message) => expect(() => read(text)).toThrow(message));
