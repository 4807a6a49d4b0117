import { z } from 'zod';

export const Timestamp = z.number().int().describe('Unix seconds.');
export const Money = z.string().describe('USD as a decimal string.');
export const Currency = z.literal('usd');
