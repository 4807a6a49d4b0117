import { rulesOf } from './index.js';

const thinkingOf = (model: string) => rulesOf(model).gemini.thinking;
const levels = (...names: string[]) => ({ by: 'level', levels: names });

describe('the family of a Gemini model', () => {
  test.each([
    ['gemini-1.5-flash-001', { by: 'none' }],
    ['gemini-2.0-flash', { by: 'none' }],
    ['gemini-2.5-flash', { by: 'budget', min: 0, max: 24_576, off: true }],
    ['models/gemini-2.5-flash-preview-05-20', { by: 'budget', min: 0, max: 24_576, off: true }],
    ['gemini-2.5-flash-lite', { by: 'budget', min: 512, max: 24_576, off: true }],
    ['gemini-2.5-pro@default', { by: 'budget', min: 128, max: 32_768, off: false }],
    ['gemini-2.5-flash-image', { by: 'none' }],
    ['gemini-3-pro-preview', levels('low', 'high')],
    ['gemini-3-flash-preview', levels('low', 'medium', 'high')],
    ['gemini-3.1-pro-preview', levels('low', 'medium', 'high')],
    ['gemini-3.1-flash-lite', levels('minimal', 'low', 'medium', 'high')],
    ['gemini-3.5-flash', levels('minimal', 'low', 'medium', 'high')],
    ['gemini-3.6-flash', levels('minimal', 'low', 'medium', 'high')],
    ['gemini-3.7-flash', levels('low', 'medium', 'high')],
    ['gemini-3.8-flash-001', levels('low', 'medium', 'high')],
    ['gemini-4-hydrogen', levels('low', 'medium', 'high', 'xhigh')],
  ])('%s thinks as it was announced', (model, thinking) => {
    expect(thinkingOf(model)).toEqual(thinking);
  });

  test.each(['gemini-5-pro', 'gemini-10.1-flash', 'gemini-flash-latest', 'something-else', 'gemini-exp-1206'])(
    '%s, which is not known, is taken for the newest, with the levels that all have',
    (model) => {
      expect(rulesOf(model).gemini).toMatchObject({ thinking: levels('low', 'medium', 'high'), signedCalls: true, toolsWithFormat: true });
    },
  );

  test('only from Gemini 3 on do calls need signatures, and tools go with structured output', () => {
    expect(rulesOf('gemini-2.5-pro').gemini).toMatchObject({ signedCalls: false, toolsWithFormat: false, jsonSchema: true });
    expect(rulesOf('gemini-3-pro-preview').gemini).toMatchObject({ signedCalls: true, toolsWithFormat: true });
  });

  test('models that make images call no tools', () => {
    expect(rulesOf('gemini-3-pro-image-preview').gemini.tools).toBe(false);
  });

  test('Gemma has no system instruction', () => {
    expect(rulesOf('gemma-3-27b-it').gemini.systemInstruction).toBe(false);
  });
});
