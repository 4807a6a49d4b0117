import { EFFORTS, type Effort, rulesOf } from '../../model-rules/index.js';
import type { ThinkingLevel } from '../canonical.js';

/** The effort a model is asked for so that it comes nearest to a level; null: it takes none. */
export function effortFor(level: ThinkingLevel, model: string, endpoint: 'chat' | 'responses'): Effort | null {
  const { efforts, chatEffortMax } = rulesOf(model).openai;
  const allowed = endpoint === 'chat' && chatEffortMax ? efforts.filter((effort) => rank(effort) <= rank(chatEffortMax)) : efforts;
  if (level === 'off') return allowed[0] ?? null;
  const thinking = allowed.filter((effort) => effort !== 'none');
  return thinking.findLast((effort) => rank(effort) <= rank(level)) ?? thinking[0] ?? null;
}

/** The level an effort stands for, as clients are told it. */
export const levelOf = (effort: Effort | null): ThinkingLevel | null => (effort === 'none' ? 'off' : effort);

/** @param effort as it will be sent; null: none is sent. */
export function samplingAllowed(model: string, effort: string | null): boolean {
  const { sampling, reasons } = rulesOf(model).openai;
  if (sampling !== 'without-reasoning') return sampling === 'allowed';
  return effort === null ? !reasons : effort === 'none';
}

/** Whether chat completions would refuse the request for its function tools, so that it has to go to `/responses`. */
export function toolsNeedResponses(model: string, { hasTools, effort }: { hasTools: boolean; effort: string | null }): boolean {
  if (!hasTools) return false;
  switch (rulesOf(model).openai.toolsOnChat) {
    case 'allowed':
      return false;
    case 'without-effort':
      return effort !== null && effort !== 'none';
    case 'effort-none':
      return effort !== 'none';
    case 'refused':
      return true;
  }
}

const rank = (level: Effort | ThinkingLevel): number => (level === 'off' ? 0 : EFFORTS.indexOf(level));
