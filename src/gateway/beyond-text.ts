import { type Feature, type ReplyFacts, reportedUnits } from '../dialects/index.js';
import type { Usage } from '../kernel/usage.js';
import { type BeyondText, NOTHING_BEYOND } from '../prices/index.js';

/** What a call asked for, and carried, that is no text. */
export interface Beyond {
  feature: Feature | null;
  /** There was sound or film in its prompt. */
  heard: boolean;
}

const USD = 1_000_000_000n;

/** What a run of a provider's own tool costs at most, in nano-USD. Vendors' price pages, 2026-11. */
const FEES: Readonly<Partial<Record<string, bigint>>> = {
  // OpenAI: $2.50 for a thousand; a container of the largest size, and an image of the dearest size and quality.
  file_search_call: (USD * 25n) / 10_000n,
  code_interpreter_call: (USD * 192n) / 100n,
  shell_call: (USD * 192n) / 100n,
  image_generation_call: USD / 4n,
};
/** A container that nothing tells of: an hour of Anthropic's, or a small one of OpenAI's. */
const CONTAINER = (USD * 5n) / 100n;

/**
 * What an attempt is charged for beyond its text tokens: what the reply tells, and where it tells nothing of what was asked for, the dearest.
 * @param model as its provider names it.
 */
export function beyondText(
  { feature, heard }: Beyond,
  facts: ReplyFacts,
  usage: Usage,
  model: string,
): { beyond: BeyondText; told: boolean } {
  const units = reportedUnits(facts.usageRaw);
  const runs = [...facts.toolRuns];
  const searched = units.searches ?? runs.reduce((sum, [tool, count]) => sum + (/search/.test(tool) && !(tool in FEES) ? count : 0), 0);
  const asked = feature?.kind;
  const isUntoldSearch = asked === 'search' && units.searches === null && runs.length === 0;
  const isUntoldTool = asked === 'tool' && runs.length === 0 && /code|container|shell/.test(feature!.value || feature!.field);
  const hears = heard && units.audioInput === 0;
  const speaks = asked === 'media' && units.audioOutput + units.imageOutput === 0;
  const beyond: BeyondText = {
    ...NOTHING_BEYOND,
    audioInput: units.audioInput,
    imageInput: units.imageInput,
    audioOutput: units.audioOutput,
    imageOutput: units.imageOutput,
    untoldInput: hears ? usage.input : 0,
    untoldOutput: speaks ? usage.output : 0,
    searches: isUntoldSearch ? 1 : searched,
    fees: runs.reduce((sum, [tool, count]) => sum + (FEES[tool] ?? 0n) * BigInt(count), isUntoldTool ? CONTAINER : 0n),
    percent: percentOf(feature, units, model.toLowerCase()),
  };
  return { beyond, told: !(isUntoldSearch || isUntoldTool || hears || speaks) };
}

/** Vendors' price pages, 2026-11: openai.com/api-fast-mode, platform.claude.com/docs/en/about-claude/pricing, aws.amazon.com/bedrock/pricing. */
function percentOf(feature: Feature | null, { tier, speed, geo }: ReturnType<typeof reportedUnits>, model: string): bigint {
  const asked = (kind: Feature['kind']) => (feature?.kind === kind ? feature.value : null);
  const isPriority = /^(?:priority|fast|performance)$/.test(tier ?? asked('tier') ?? '');
  const isFast = (speed ?? asked('speed')) === 'fast';
  // A region costs a tenth more; it is reported as "not_available" by models that have none.
  const isRegional = !['', 'global', 'not_available'].includes(geo ?? asked('region') ?? '');
  const percent = (isPriority ? (/gpt-5\.5/.test(model) ? 250n : 200n) : 100n) * (isFast ? (/opus-5/.test(model) ? 2n : 6n) : 1n);
  return isRegional ? (percent * 110n) / 100n : percent;
}
