import { hasUnseenInput } from './unseen-input.js';

const asks = (content: unknown) => ({ model: 'm', messages: [{ role: 'user', content }] });

test.each<[string, Record<string, unknown>]>([
  ['an earlier response', { input: 'Go on', previous_response_id: 'resp_1' }],
  ['a conversation', { input: 'Go on', conversation: { id: 'conv_1' } }],
  ['a stored prompt', { prompt: { id: 'pmpt_1' } }],
  ['an item', { input: [{ type: 'item_reference', id: 'rs_1' }] }],
  ['an image by address', asks([{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }])],
  ['an image of a response by address', { input: [{ content: [{ type: 'input_image', image_url: 'https://example.com/a.png' }] }] }],
  ['a file', asks([{ type: 'file', file: { file_id: 'file-1' } }])],
  ['a document by address', asks([{ type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } }])],
  ['a film by address', asks([{ type: 'input_video', video_url: 'https://example.com/a.mp4' }])],
  ['a sound by address', asks([{ type: 'audio', audio_url: 'https://example.com/a.mp3' }])],
  ['a document of Mistral by address', asks([{ type: 'document_url', document_url: 'https://example.com/a.pdf' }])],
  ['a web search', { ...asks('News?'), tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
  ['servers of tools', { ...asks('News?'), mcp_servers: [{ type: 'url', name: 's', url: 'https://example.com' }] }],
])('%s is input that is not seen', (_, body) => expect(hasUnseenInput(body)).toBe(true));

test.each<[string, Record<string, unknown>]>([
  ['text', asks('See https://example.com/a.png')],
  ['an image in the request', asks([{ type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } }])],
  ['the text of a completion', { prompt: 'Once upon a time' }],
  [
    'a tool that takes an address',
    { ...asks('x'), tools: [{ type: 'function', function: { name: 'f', parameters: { properties: { url: { type: 'string' } } } } }] },
  ],
  ['nothing said', { ...asks('x'), previous_response_id: null, conversation: null }],
])('%s is all there', (_, body) => expect(hasUnseenInput(body)).toBe(false));

test('a request of very many values is judged at once', () => {
  const body = asks(Array.from({ length: 2_000_000 }, () => []));
  const before = performance.now();
  expect(hasUnseenInput(body)).toBe(true);
  expect(performance.now() - before).toBeLessThan(500);
});
