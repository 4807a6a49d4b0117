import { z } from 'zod';

export const Timestamp = z.number().int().describe('Unix seconds.');
export const Money = z.string().describe('USD as a decimal string.');
export const Currency = z.literal('usd');

/** As `Timestamp` says. */
export const unixSeconds = (at: Date): number => Math.floor(at.getTime() / 1000);
export const unixSecondsOrNull = (at: Date | null): number | null => at && unixSeconds(at);
