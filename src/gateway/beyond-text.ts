import { type Feature, type ReplyFacts, reportedUnits } from '../dialects/index.js';
import { type Fees, MEDIA_UNITS, mediaUnit, toMedium, type Usage } from '../kernel/usage.js';
import { rulesOf } from '../model-rules/index.js';
import type { BeyondText } from '../prices/index.js';

/** What a call asked for, and carried, that is no text. */
export interface Beyond {
  feature: Feature | null;
  /** There was sound or film in its prompt. */
  heard: boolean;
}

const USD = 1_000_000_000n;

/**
 * What a run of a provider's own tool costs at most, in nano-USD.
 * - image_generation_call: no source for the largest sizes. The dearest known is $0.28, of gpt-image-2 at high quality with 1792x1024 pixels; it
 *   makes up to 3840x2160, so as much for each pixel of those.
 */
const FEES: Readonly<Partial<Record<string, bigint>>> = {
  image_generation_call: (USD * 127n) / 100n,
};

const FILE_SEARCH = 'file_search_call';

/**
 * A session of OpenAI's containers by their memory: developers.openai.com/api/docs/pricing, as quoted with the date 2026-07-17 by public price
 * tables. It is charged once it was made, whether it ran or not (community.openai.com/t/1364328), and all runs of an answer share it.
 */
const SESSIONS: Readonly<Partial<Record<string, bigint>>> = {
  '1g': (USD * 3n) / 100n,
  '4g': (USD * 12n) / 100n,
  '16g': (USD * 48n) / 100n,
  '64g': (USD * 192n) / 100n,
};
const DEAREST_SESSION = SESSIONS['64g']!;
const IN_CONTAINER: readonly string[] = ['code_interpreter_call', 'shell_call'];
/** An hour of Anthropic's and of other containers (platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool, read 2026-11-28). */
const HOUR = (USD * 5n) / 100n;

/** What a container costs that a tool of this type ran in, or that was made for it. Its size follows the type; an existing one tells none. */
function sessionOf(tool: string): bigint {
  const [type = '', size = ''] = tool.split(' ');
  return /^(?:code_interpreter|shell)$/.test(type) || IN_CONTAINER.includes(`${type}_call`) ? (SESSIONS[size] ?? DEAREST_SESSION) : HOUR;
}

/** What an attempt used, and what it costs beyond that. */
interface Used {
  usage: Usage;
  beyond: BeyondText;
  /** The reply tells all of it. */
  told: boolean;
}

/**
 * What an attempt used, with what its tokens do not tell: what the reply tells, and where it tells nothing of what was asked for, the dearest.
 * @param model as its provider names it. @param allowed what it was held for. @param isFinal the reply's count is the last one.
 */
export function beyondText(
  { feature, heard }: Beyond,
  facts: ReplyFacts,
  usage: Usage,
  model: string,
  allowed: Fees | null,
  isFinal: boolean,
): Used {
  const units = reportedUnits(facts.usageRaw);
  const runs = [...facts.toolRuns];
  const searched =
    units.searches ?? runs.reduce((sum, [tool, count]) => sum + (/search/.test(tool) && tool !== FILE_SEARCH ? count : 0), 0);
  const inFiles = runs.reduce((sum, [tool, count]) => sum + (tool === FILE_SEARCH ? count : 0), 0);
  const asked = feature?.kind;
  const isUntoldSearch = asked === 'search' && !allowed && units.searches === null && runs.length === 0;
  const isUntoldTool = asked === 'tool' && runs.length === 0 && /code|container|shell/.test(feature!.value || feature!.field);
  const isRun = runs.some(([tool]) => IN_CONTAINER.includes(tool));
  const session = isRun ? sessionOf(isSized(feature) ? feature!.value : 'code_interpreter') : isUntoldTool ? sessionOf(feature!.value) : 0n;
  const hears = heard && usage.audioInput + usage.audioCacheRead === 0;
  const speaks = asked === 'media' && usage.audioOutput + usage.imageOutput === 0;
  const beyond: BeyondText = {
    fees: runs.reduce((sum, [tool, count]) => sum + (FEES[tool] ?? 0n) * BigInt(count), session),
    percent: percentOf(feature, units, model),
  };
  const most = (fee: keyof Fees) => (isFinal ? 0 : (allowed?.[fee] ?? 0));
  const webSearch = isUntoldSearch ? 1 : Math.max(searched, most('webSearch'));
  const fileSearch = Math.max(inFiles, most('fileSearch'));
  let all = webSearch === usage.webSearch && fileSearch === usage.fileSearch ? usage : { ...usage, webSearch, fileSearch };
  if (hears) all = toMedium(all, mediaUnit('audioInput'), all.input);
  if (speaks) all = toMedium(all, madeBy(feature!), all.output);
  return { usage: all, beyond, told: !(isUntoldSearch || isUntoldTool || hears || speaks) };
}

/** What an answer is taken to be made of that tells nothing of it. */
const madeBy = ({ makes }: Feature) =>
  MEDIA_UNITS.find(({ side, medium }) => side === 'output' && (makes ?? []).includes(medium.name)) ?? mediaUnit('imageOutput');

/** The call asked for the container that ran. */
const isSized = (feature: Feature | null): boolean => feature?.kind === 'tool' && /^(?:code_interpreter|shell)(?: |$)/.test(feature.value);

/**
 * Read 2026-11-28:
 * - OpenAI: `priority` and `fast` are twice the standard rates, two and a half times for gpt-5.5 (openai.com/api-fast-mode).
 * - Gemini: `priority` is 75 to 100 % more (ai.google.dev/gemini-api/docs/optimization). Bedrock: "standard rate + premium", no number on
 *   aws.amazon.com/bedrock/service-tiers; twice, as the dearest of the others.
 * - Claude: `fast` is twice from Opus 4.8 on, and six times for Opus 4.6 and 4.7 (platform.claude.com/docs/en/build-with-claude/fast-mode,
 *   openrouter.ai/anthropic/claude-opus-4.8-fast). No source for Fable and Mythos; six times, the dearest of the others.
 * - A region: a tenth more with Claude (platform.claude.com/docs/en/manage-claude/data-residency) and OpenAI.
 */
function percentOf(feature: Feature | null, { tier, speed, geo }: ReturnType<typeof reportedUnits>, model: string): bigint {
  const asked = (kind: Feature['kind']) => (feature?.kind === kind ? feature.value : null);
  const isPriority = /^(?:priority|fast|performance)$/.test(tier ?? asked('tier') ?? '');
  const isFast = (speed ?? asked('speed')) === 'fast';
  // A region costs a tenth more; it is reported as "not_available" by models that have none.
  const isRegional = !['', 'global', 'not_available'].includes(geo ?? asked('region') ?? '');
  const { priorityPercent, fastFactor } = rulesOf(model).prices;
  const percent = (isPriority ? priorityPercent : 100n) * (isFast ? fastFactor : 1n);
  return isRegional ? (percent * 110n) / 100n : percent;
}
