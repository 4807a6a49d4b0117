import { type Part, partsOf, skipSpace } from '../../kernel/json-scan.js';

/** Names of fields that say what a call cost: `cost`, `cost_details`, `estimated_cost`, `cost_in_usd_ticks`, `marketCost`, `pricing`, … */
const SAYS_COST = /cost|pric(?:e|ing)/i;
/** The same anywhere in a text, found faster. */
const MAY_SAY_COST = /[cC]ost|[pP]ric/;
/** Where providers say what concerns the whole reply, in the formats that pass as they are. All else is what the model said. */
const ENVELOPES: ReadonlySet<string | null> = new Set(['choices', 'message', 'delta', 'response', 'x_groq']);
/** What they hold themselves is of the provider, at any depth. */
const ACCOUNTS: ReadonlySet<string | null> = new Set(['usage', 'provider_metadata', 'providerMetadata']);

/**
 * A reply, or an event of one, without what its provider says that it cost; the same text where it says nothing.
 * @param json valid, or no JSON.
 */
export function withoutCost(json: string): string {
  if (!MAY_SAY_COST.test(json)) return json;
  const start = skipSpace(json, 0);
  if (json[start] !== '{') return json;
  const parts = partsOf(json, start);
  if (json[parts.end] !== '}') return json;
  return json.slice(0, start) + joined(json, start, parts, isEnvelope) + json.slice(parts.end + 1);
}

type Enters = (part: Part) => Enters | null;
const isEnvelope: Enters = ({ key }) => {
  if (ACCOUNTS.has(key)) return isAccount;
  return ENVELOPES.has(key) || key === null ? isEnvelope : null;
};
const isAccount: Enters = () => isAccount;

/** An object or a list, with its brackets. @param enters how the value of a part is read; null: it stays as it is. */
function joined(json: string, start: number, { parts, end }: ReturnType<typeof partsOf>, enters: Enters): string {
  const kept = parts.filter(({ key }) => key === null || !SAYS_COST.test(key));
  const written = kept.map((part) => {
    const { value } = part;
    const inner = /[{[]/.test(json[value.start] ?? '') ? enters(part) : null;
    if (!inner) return json.slice(part.start, part.end);
    return (
      json.slice(part.start, value.start) + joined(json, value.start, partsOf(json, value.start), inner) + json.slice(value.end, part.end)
    );
  });
  return json[start] + written.join(',') + json[end];
}
