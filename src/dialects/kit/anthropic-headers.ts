import type { CallRequest } from '../dialect.js';
import { leftOut } from './left-out.js';

/** The version that the Messages API of Weir is, and asks for. */
export const ANTHROPIC_VERSION = '2023-06-01';

export type AnthropicHeaders = Pick<CallRequest, 'betas' | 'anthropicVersion'>;

export const betasLeftOut = (betas: readonly string[]): string[] => betas.map((beta) => leftOut(`anthropic-beta: ${beta}`));

/** Clients name the usual version with every request: without it nothing is lost. */
export const versionLeftOut = (version: string | null | undefined): string[] =>
  version && version !== ANTHROPIC_VERSION ? [leftOut(`anthropic-version: ${version}`)] : [];
