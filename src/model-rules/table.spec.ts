import { readName } from './name.js';
import { openai, type Row, readAt, rulesIn } from './row.js';
import { type ModelRules, UNKNOWN } from './rules.js';
import { TABLE } from './table.js';

const rulesWith = (rows: readonly Row[], model: string): ModelRules => rulesIn(rows, readName(model), UNKNOWN);

test('a family stands in the table once', () => expect(new Set(TABLE.map(({ family }) => family)).size).toBe(TABLE.length));

describe.each(TABLE.map((row) => [row.family, row] as const))('%s', (_family, row) => {
  test('says when and where its facts were read', () => {
    expect(row.read).toMatch(/^\d{4}-\d{2}(?:-\d{2})?$/);
    expect(row.source).not.toBe('');
  });

  test('fits the names that it was made for', () => {
    expect(row.examples).not.toEqual([]);
    for (const name of row.examples) expect([name, row.fits(readName(name))]).not.toEqual([name, null]);
  });

  test('is of use: without it something else would be said of one of them', () => {
    const others = TABLE.filter((other) => other !== row);
    const used = row.examples.filter(
      (name) => JSON.stringify(plain(rulesWith(others, name))) !== JSON.stringify(plain(rulesWith(TABLE, name))),
    );
    expect(used).not.toEqual([]);
  });

  test('does not fit a name that tells nothing', () => {
    for (const name of ['deployment', 'my-model', 'constructor', '', 'arn:aws:bedrock:us-east-1:1:application-inference-profile/abc'])
      expect(row.fits(readName(name))).toBeNull();
  });
});

test('a name that tells nothing has the rules of an unknown model', () => expect(rulesWith(TABLE, 'deployment')).toEqual(UNKNOWN));

describe('a new generation is one row', () => {
  const ADDED = readAt('2027-01-15', 'example.com')('gpt-8', openai(/^gpt-8$/), ['gpt-8'], {
    facts: { contextWindow: 2_000_000, maxOutputTokens: 250_000, tools: true, vision: false, reasoning: true },
    encoding: 'o200k_harmony',
    media: { page: 7 },
    hiddenPrompt: { always: 11, withTools: 12 },
    openai: { efforts: ['low', 'max'], toolsOnChat: 'allowed', stop: true, maxTokens: true },
  });
  const rows = [ADDED, ...TABLE];

  test.each(['gpt-8', 'gpt-8-2027-02-01', 'openai/gpt-8', 'us.openai.gpt-8-pro', 'ft:gpt-8:org::id'])(
    'from which capabilities, limits, thinking and tokenizer of %s follow',
    (model) => {
      const { facts, encoding, openai: asked, media, hiddenPrompt } = rulesWith(rows, model);
      expect(facts).toEqual(ADDED.rules.facts);
      expect(encoding).toBe('o200k_harmony');
      expect(asked).toMatchObject(ADDED.rules.openai!);
      expect([media.page, hiddenPrompt.always, hiddenPrompt.withTools]).toEqual([7, 11, 12]);
    },
  );

  test('what it does not say is that of the newest', () =>
    expect(rulesWith(rows, 'gpt-8')).toMatchObject({ vendor: 'openai', openai: { chatOnly: true } }));

  test('a name that only holds it has its bounds, and nothing that is not certain', () => {
    const { facts, encoding, media } = rulesWith(rows, 'prod-gpt-8');
    expect([facts, encoding, media.page]).toEqual([UNKNOWN.facts, null, 7]);
  });

  test('and others stay as they were', () => {
    for (const model of TABLE.flatMap(({ examples }) => examples))
      expect(plain(rulesWith(rows, model))).toEqual(plain(rulesWith(TABLE, model)));
  });
});

/** Without functions and big integers: an image's tokens at some sizes stand for its function. */
function plain({ media: { image, ...media }, prices, ...rules }: ModelRules): object {
  const sizes = [image(100, 90), image(1000, 800), image(4000, 3000)];
  return {
    ...rules,
    media: { ...media, sizes },
    prices: { ...prices, priorityPercent: `${prices.priorityPercent}`, fastFactor: `${prices.fastFactor}` },
  };
}
