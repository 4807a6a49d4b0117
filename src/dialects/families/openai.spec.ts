import { rulesOf } from '../../model-rules/index.js';
import { effortFor, samplingAllowed, toolsNeedResponses } from './openai.js';

const reasons = (model: string) => rulesOf(model).openai.reasons;

describe('ids are read by version', () => {
  test.each([
    'openai/gpt-5.6-sol',
    'openai.gpt-5.6-luna',
    'us.openai.gpt-5.6-sol',
    'gpt-5.6-2026-07-01',
    'GPT-5.6',
    'ft:gpt-5.6-sol:org::id',
    'openai/gpt-5.6-sol:nitro',
  ])('%s is a gpt-5.6', (model) => {
    expect(rulesOf(model).openai).toEqual(rulesOf('gpt-5.6').openai);
  });

  test('gpt-5 does not stand for gpt-5.4, nor gpt-5.1 for gpt-5.1-codex', () => {
    expect(reasons('gpt-5')).toBe(true);
    expect(reasons('gpt-5-mini-2025-08-07')).toBe(true);
    expect(reasons('gpt-5.4-mini')).toBe(false);
    expect(reasons('gpt-5.1')).toBe(false);
    expect(reasons('gpt-5.1-codex')).toBe(true);
    expect(rulesOf('gpt-5.1-codex-max').openai.efforts).toContain('xhigh');
    expect(rulesOf('gpt-5.1-codex-mini').openai.efforts).not.toContain('xhigh');
  });

  test.each(['gpt-4o', 'gpt-4o-mini-2024-07-18', 'chatgpt-4o-latest', 'gpt-4.1-nano', 'gpt-35-turbo', 'gpt-3.5-turbo', 'gpt-4-turbo'])(
    '%s does not reason and takes everything',
    (model) => {
      expect(rulesOf(model).openai).toMatchObject({ reasons: false, efforts: [], sampling: 'allowed', stop: true, maxTokens: true });
    },
  );

  test.each(['gpt-7', 'gpt-6.2-sol', 'gpt-6-nova', 'gpt-5.7', 'openai/gpt-10.1-pro'])(
    '%s, not yet known, counts as the newest',
    (model) => {
      const { responsesOnly: _, ...newest } = rulesOf('gpt-6.1-sol').openai;
      expect(rulesOf(model).openai).toMatchObject(newest);
    },
  );

  test('a name that tells nothing is sent what was asked for', () => {
    expect(rulesOf('my-deployment').openai).toMatchObject({ sampling: 'allowed', stop: true, toolsOnChat: 'allowed' });
    expect(effortFor('high', 'my-deployment', 'chat')).toBe('high');
    expect(rulesOf('opus-large').openai.sampling).toBe('allowed');
    expect(rulesOf('meta-llama/llama-3.3-70b').openai.sampling).toBe('allowed');
  });
});

describe('thinking levels', () => {
  test.each([
    ['off', 'gpt-5.1', 'none'],
    ['off', 'gpt-6-sol', 'none'],
    ['off', 'gpt-5', 'minimal'],
    ['off', 'o3', 'low'],
    ['off', 'gpt-6-astra', 'low'],
    ['off', 'gpt-6.1-sol', 'low'],
    ['minimal', 'gpt-5', 'minimal'],
    ['minimal', 'gpt-5.6-sol', 'low'],
    ['minimal', 'gpt-6-luna', 'low'],
    ['low', 'gpt-5.5-pro', 'medium'],
    ['medium', 'gpt-5-pro', 'high'],
    ['high', 'gpt-5.3-chat-latest', 'medium'],
    ['xhigh', 'gpt-5.1', 'high'],
    ['xhigh', 'gpt-5.2', 'xhigh'],
    ['max', 'gpt-5.6', 'xhigh'],
    ['max', 'gpt-6-astra', 'max'],
    ['high', 'gpt-4o', null],
    ['high', 'o1-mini', null],
  ] as const)('%s of %s is effort %s', (level, model, effort) => {
    expect(effortFor(level, model, 'responses')).toBe(effort);
  });

  test('chat takes no more than xhigh of gpt-6-astra', () => {
    expect(effortFor('max', 'gpt-6-astra', 'chat')).toBe('xhigh');
  });
});

test('sampling is allowed only where the model does not reason', () => {
  expect(samplingAllowed('gpt-4o', null)).toBe(true);
  expect(samplingAllowed('gpt-5-chat-latest', null)).toBe(true);
  expect(samplingAllowed('gpt-5', null)).toBe(false);
  expect(samplingAllowed('o3', 'low')).toBe(false);
  expect(samplingAllowed('gpt-5.1', null)).toBe(true);
  expect(samplingAllowed('gpt-5.1', 'low')).toBe(false);
  expect(samplingAllowed('gpt-5.6', null)).toBe(false);
  expect(samplingAllowed('gpt-5.6', 'none')).toBe(true);
  expect(samplingAllowed('gpt-6-sol', 'none')).toBe(false);
});

test('o3, o4-mini and gpt-6 refuse stop sequences', () => {
  for (const model of ['o3', 'o3-2025-04-16', 'o4-mini', 'gpt-6-sol', 'gpt-6-astra']) expect(rulesOf(model).openai.stop).toBe(false);
  for (const model of ['o1', 'o3-mini', 'gpt-5.6', 'gpt-4o']) expect(rulesOf(model).openai.stop).toBe(true);
});

test('the o series and everything from gpt-5 on refuse max_tokens', () => {
  for (const model of ['o1', 'o4-mini', 'gpt-5', 'gpt-5-chat-latest', 'gpt-6-sol']) expect(rulesOf(model).openai.maxTokens).toBe(false);
});

test('o1-mini knows neither system nor developer', () => {
  expect(rulesOf('o1-mini').openai.systemRole).toBe('user');
  expect(rulesOf('o1').openai.systemRole).toBe('system');
});

describe('function tools on chat completions', () => {
  const need = (model: string, effort: string | null, hasTools = true) => toolsNeedResponses(model, { hasTools, effort });

  test('gpt-5.6 and gpt-6 refuse them unless the effort is none', () => {
    for (const model of ['gpt-5.6-sol', 'gpt-6-sol', 'gpt-6-luna']) {
      expect(need(model, null)).toBe(true);
      expect(need(model, 'low')).toBe(true);
      expect(need(model, 'none')).toBe(false);
    }
  });

  test('gpt-5.4 and gpt-5.5 refuse them only with an effort', () => {
    for (const model of ['gpt-5.4', 'gpt-5.5']) {
      expect(need(model, null)).toBe(false);
      expect(need(model, 'none')).toBe(false);
      expect(need(model, 'high')).toBe(true);
    }
  });

  test('gpt-6-astra, gpt-6.1-sol and whatever is newer refuse them always', () => {
    for (const model of ['gpt-6-astra', 'gpt-6.1-sol', 'gpt-7']) expect(need(model, 'none')).toBe(true);
  });

  test('older models take them, and no tools are no reason', () => {
    for (const model of ['gpt-4o', 'gpt-5', 'gpt-5.3', 'o3', 'llama']) expect(need(model, 'high')).toBe(false);
    expect(need('gpt-6-astra', null, false)).toBe(false);
  });
});

test('pro, codex and deep research models are served on /responses only', () => {
  for (const model of ['gpt-5.5-pro', 'o3-pro', 'o1-pro', 'gpt-5-codex', 'gpt-5.3-codex', 'o3-deep-research', 'codex-mini-latest'])
    expect(rulesOf(model).openai.responsesOnly).toBe(true);
  for (const model of ['gpt-5.5', 'o3', 'gpt-4o', 'gemini-3-pro']) expect(rulesOf(model).openai.responsesOnly).toBe(false);
});

test('/completions serves only what is made for it', () => {
  expect(rulesOf('gpt-3.5-turbo-instruct').openai.chatOnly).toBe(false);
  expect(rulesOf('davinci-002').openai.chatOnly).toBe(false);
  expect(rulesOf('gpt-4o').openai.chatOnly).toBe(true);
});
