import { type MediaRule, squares, UNKNOWN_MEDIA } from './media.js';
import { bare, claude, claudeName, like, type Row, readAt } from './row.js';
import { type ClaudeRules, type ModelFacts, UNKNOWN_FACTS } from './rules.js';

const NEWEST: ClaudeRules = {
  claude: true,
  thinking: 'adaptive',
  thinkingOff: null,
  thinksByDefault: true,
  xhigh: true,
  sampling: 'none',
  forcedTool: false,
  nativeSchema: true,
  schemaOnBedrock: 'claude',
  inlineSystem: false,
};
const NEWEST_INLINE: ClaudeRules = { ...NEWEST, inlineSystem: true };
const FIFTH: ClaudeRules = { ...NEWEST, thinkingOff: 'disabled', forcedTool: true };
const LATE_FOURTH: ClaudeRules = { ...FIFTH, thinksByDefault: false };
const EITHER: ClaudeRules = {
  ...LATE_FOURTH,
  thinking: 'adaptive-or-budget',
  xhigh: false,
  sampling: 'one',
  schemaOnBedrock: 'text-format',
};
const BUDGETED: ClaudeRules = { ...EITHER, thinking: 'budget' };
const EARLY_FOURTH: ClaudeRules = { ...BUDGETED, nativeSchema: false, schemaOnBedrock: 'tool' };
const THIRD: ClaudeRules = { ...EARLY_FOURTH, thinking: 'none', thinkingOff: null, sampling: 'all' };

/** @param vision null: it is not sure that it takes images. */
const facts = (maxOutputTokens: number, reasoning = true, vision: boolean | null = true): ModelFacts => ({
  ...UNKNOWN_FACTS,
  maxOutputTokens,
  tools: true,
  vision,
  reasoning,
});

/** Up to 4.6: 1,568 tokens an image at most. Later ones 4,784, and a third more for a page of text. 600 pages. */
const EARLY_MEDIA: MediaRule = {
  ...UNKNOWN_MEDIA,
  ...squares(1_600),
  page: 4_600,
  mostPages: 600,
  anyKindByAddress: false,
  window: 1_000_000,
};
const MEDIA: MediaRule = { ...EARLY_MEDIA, ...squares(4_784), page: 5_650 };

/**
 * Sources: the vendor's documentation, platform.claude.com/docs, and refusals seen on the wire. Read 2026-11-28: images and pages: build-with-claude/vision and
 * /pdf-support. Hidden prompts: 159 to 804 tokens with tools (agents-and-tools/tool-use/overview, "pricing", as of 2026-07-13).
 * A tenth more in regions: about-claude/pricing. Fast mode: build-with-claude/fast-mode, openrouter.ai/anthropic/claude-opus-4.8-fast.
 */
const row = readAt('2026-11-12', 'platform.claude.com/docs');

export const CLAUDE_MODELS: readonly Row[] = [
  row('claude opus 5.5', claude('opus-5-5'), ['claude-opus-5-5', 'anthropic/claude-opus-5.5'], {
    claude: NEWEST_INLINE,
    facts: facts(128_000),
  }),
  row('claude sonnet 5.5', claude('sonnet-5-5'), ['global.anthropic.claude-sonnet-5-5-20260928-v1:0'], {
    claude: { ...NEWEST_INLINE, thinkingOff: 'between_tools' },
    facts: facts(128_000),
  }),
  // Forced calls: the vendor's list of breaks leaves it out, resellers say they are gone.
  row('claude haiku 5.5', claude('haiku-5-5'), ['claude-haiku-5-5'], {
    claude: { ...NEWEST_INLINE, thinkingOff: 'disabled' },
    facts: facts(128_000),
  }),
  row('claude fable and mythos', claude('fable-5-1', 'fable-5', 'mythos-5'), ['claude-fable-5-1', 'claude-mythos-5'], {
    claude: NEWEST_INLINE,
    facts: facts(128_000),
  }),
  row('claude opus 5', claude('opus-5'), ['claude-opus-5-20260901'], { claude: { ...FIFTH, inlineSystem: true }, facts: facts(128_000) }),
  // It answers a system message further down with 200 and does not obey it.
  row('claude sonnet 5', claude('sonnet-5'), ['claude-sonnet-5'], { claude: FIFTH, facts: facts(128_000) }),
  row('claude opus 4.8', claude('opus-4-8'), ['claude-opus-4-8'], {
    claude: { ...LATE_FOURTH, inlineSystem: true },
    facts: facts(128_000),
  }),
  row('claude opus 4.7', claude('opus-4-7'), ['claude-opus-4-7'], { claude: LATE_FOURTH, facts: facts(128_000) }),
  row('claude opus 4.6', claude('opus-4-6'), ['anthropic.claude-opus-4-6-v1'], {
    claude: EITHER,
    facts: facts(128_000),
    media: EARLY_MEDIA,
  }),
  row('claude sonnet 4.6', claude('sonnet-4-6'), ['claude-sonnet-4-6'], { claude: EITHER, facts: facts(128_000), media: EARLY_MEDIA }),
  row('claude 4.5', claude('opus-4-5', 'sonnet-4-5', 'haiku-4-5'), ['claude-haiku-4-5@20251001', 'claude-opus-4-5'], {
    claude: BUDGETED,
    facts: facts(64_000),
    media: EARLY_MEDIA,
  }),
  // A schema of its own at Anthropic's own API only.
  row('claude opus 4.1', claude('opus-4-1'), ['claude-opus-4-1-20250805'], {
    claude: { ...BUDGETED, schemaOnBedrock: 'tool' },
    facts: facts(32_000),
    media: EARLY_MEDIA,
  }),
  row('claude opus 4', claude('opus-4'), ['claude-opus-4-0'], { claude: EARLY_FOURTH, facts: facts(32_000), media: EARLY_MEDIA }),
  row('claude sonnet 4', claude('sonnet-4'), ['claude-sonnet-4-20250514'], {
    claude: EARLY_FOURTH,
    facts: facts(64_000),
    media: EARLY_MEDIA,
  }),
  row('claude sonnet 3.7', claude('sonnet-3-7'), ['claude-3-7-sonnet-latest'], {
    claude: { ...EARLY_FOURTH, sampling: 'all' },
    facts: facts(64_000),
    media: EARLY_MEDIA,
  }),
  row('claude sonnet 3.5', claude('sonnet-3-5'), ['claude-3-5-sonnet-20241022'], {
    claude: THIRD,
    facts: facts(8_192, false),
    media: EARLY_MEDIA,
  }),
  row('claude haiku 3.5', claude('haiku-3-5'), ['claude-3-5-haiku-latest'], {
    claude: THIRD,
    facts: facts(8_192, false, null),
    media: EARLY_MEDIA,
  }),
  row('claude 3', claude('opus-3', 'sonnet-3', 'haiku-3'), ['claude-3-haiku-20240307'], {
    claude: THIRD,
    facts: facts(4_096, false),
    media: EARLY_MEDIA,
  }),
  row('claude 1 and 2', like(/claude[-._@:/]+(?:1|2|instant)(?![a-z\d])/), ['claude-2.1', 'claude-instant-1.2'], {
    claude: THIRD,
    facts: UNKNOWN_FACTS,
  }),
  row('claude opus with a fast mode at twice the rate', like(/opus-(?:5|4[-.]8)/), ['claude-opus-5', 'claude-opus-4.8'], {
    prices: { fastFactor: 2n },
  }),
  row(
    'claude from 4.5 on',
    like(/claude-(?:[a-z]+-)?(?:4-[5-9]|[5-9])(?!\d)|^claude-(?:[a-z]+-)?4\.[5-9](?!\d)/),
    ['claude-opus-4.5', 'claude-sonnet-5'],
    {
      prices: { dearerInRegion: true },
    },
  ),
  row('claude by its own name', bare(/^claude\b/), ['claude-opus-5', 'anthropic/claude-opus-5.5'], { vendor: 'anthropic' }),
  // One that is not known counts as the newest.
  row('claude', claudeName, ['claude-next', 'claude-opus-9'], {
    claude: NEWEST,
    facts: UNKNOWN_FACTS,
    media: MEDIA,
    hiddenPrompt: { always: 0, withTools: 1_000, tellsForms: true },
  }),
  row('claude in a name', like(/claude/), ['anthropic.claude-v2:1'], { prices: { dearCacheHour: true } }),
];
